"""What happens to a task: its states and transitions, and every transaction that changes one."""
