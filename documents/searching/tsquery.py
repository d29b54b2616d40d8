"""Lexemes as they stand, as PostgreSQL's tsquery takes them, and those of them that a tsvector holds."""

from __future__ import annotations

from collections.abc import Iterable


def any_of(lexemes: Iterable[str]) -> str:
    """Write a tsquery that matches any of these."""
    return " | ".join(map(_quoted, lexemes))


def all_of(lexemes: Iterable[str]) -> str:
    """Write a tsquery that matches all of these."""
    return " & ".join(map(_quoted, lexemes))


def either(queries: Iterable[str]) -> str:
    """Write a tsquery that matches where one of these does."""
    return " | ".join(f"({query})" for query in queries)


def both(queries: Iterable[str]) -> str:
    """Write a tsquery that matches where all of these do."""
    return " & ".join(f"({query})" for query in queries)


def held(vector: str, lexemes: str) -> str:
    """Write SQL for a tsvector of those lexemes that it has. To unnest all of a chunk's took most of a ranking.

    Parameters:
      vector, lexemes: SQL for a tsvector whose lexemes have no weight, and for an array of texts.
    """
    return f"ts_filter(setweight({vector}, 'A', CAST({lexemes} AS text[])), '{{A}}')"


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
