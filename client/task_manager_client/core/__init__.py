"""What both clients share, without I/O: requests and answers as data, and what is done with them step by step."""
