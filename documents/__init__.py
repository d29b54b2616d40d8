"""What is done to a document: bytes to text, text to chunks, chunks to vectors, vectors to hits."""
