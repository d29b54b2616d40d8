"""RTF: text between control words."""
