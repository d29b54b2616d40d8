"""The child processes in which documents are read and split, and what these give up."""
