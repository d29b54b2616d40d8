"""Documents in PostgreSQL: their versions and vectors, what is shown of them and what is removed."""
