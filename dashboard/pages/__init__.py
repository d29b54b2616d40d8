"""One file for each page: what it shows."""
