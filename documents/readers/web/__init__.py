"""Pages, and what is made of pages: e-books and mail."""
