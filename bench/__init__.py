"""The benchmarks: how fast and how good, side by side with peers."""
