"""A model on this machine: the embedder that asks it, the process that holds it, and how e5 is made."""
