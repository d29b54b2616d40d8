"""What child processes have in common: they end with their parent, and answer frames with frames."""
