"""What the pages cost, and what they cost those who work, with millions of tasks in the table."""
