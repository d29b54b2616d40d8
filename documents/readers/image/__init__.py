"""Images that are documents of their own, such as scans and photographs of pages."""
