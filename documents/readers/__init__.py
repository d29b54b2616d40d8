"""One reader for each format, by family: each has `read(path, encoding)` and returns an `Extracted`."""
