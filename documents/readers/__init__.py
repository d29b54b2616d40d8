"""One reader for each format: each has `read(path, encoding)` and returns an `Extracted`."""
