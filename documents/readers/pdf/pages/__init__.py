"""What pdfium sees on a page of a PDF: its lines, its forms, and what is a picture of text."""
