"""Bytes to text: which format a file has, what is in a container, in which encoding it is, and who reads it."""
