"""The tables of a PDF: those whose cells are ruled, and those whose cells stand below each other."""
