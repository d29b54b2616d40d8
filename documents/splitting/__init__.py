"""Text to chunks, and to the words that an index finds them by."""
