"""Every UPDATE of a task's row: the transitions of `tasks.lifecycle`, and what is noted of a stage while it runs.

`:sources` and `:target` are a transition's states. Who writes for a claim names `attempt` and `worker`: where the row
has others, nothing is written.
"""
