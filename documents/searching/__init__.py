"""A query to hits: what it is restricted to, two ways of ranking, and what is marked."""
