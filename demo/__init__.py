"""`make demo`: the whole service for a minute, with documents of its own."""
