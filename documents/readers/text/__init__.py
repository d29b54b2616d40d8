"""Files that are text already, with the marks that give it a structure."""
