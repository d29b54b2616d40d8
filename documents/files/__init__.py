"""A document's bytes before they are read: where they come from, and where they are kept meanwhile."""
