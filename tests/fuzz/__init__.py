"""Coverage-guided fuzzing of every reader and of the chunker: `make fuzz SECONDS=60`."""
