"""Lexemes as they stand, as PostgreSQL's tsquery takes them."""

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


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
