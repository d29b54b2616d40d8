"""What each verb does. A function has the verb's name, is handed the options, and returns the exit code."""
