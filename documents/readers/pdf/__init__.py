"""PDF: its pages as pdfium sees them, and what their lines say when they are put together."""
