"""The documents of the demo, written for this project, and what makes them out of their sources."""
