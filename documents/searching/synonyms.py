"""Terms that a KB's owner says are one: what a query says by one of them is looked for by the others as well."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from documents.splitting.tokens import is_spaced, normalised, query_tokens, runs

#: What a KB may have: groups, terms of each and of all together, and characters of a term. All are read with each
#: search, and shown with each list of KBs.
MOST_GROUPS, MOST_OF_GROUP, MOST_TERMS, LONGEST_TERM = 500, 20, 1000, 64
#: Tokens of other terms that are counted for a query.
COUNTED = 200


@dataclass(frozen=True, slots=True)
class Meant:
    """A term of a query, and its synonyms.

    tokens: what the query's own words hold of the term.
    others: what the index may hold of each other term.
    """

    tokens: frozenset[str]
    others: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A synonym, as a KB knows it: what an occurrence of each of its tokens is worth.

    A chunk holds the term where it holds all its words and, where no spaces tell words apart, all its characters; in
    which order is not asked, since the index does not know it.
    """

    weights: dict[str, float]
    parts: frozenset[str]

    def is_held(self, lexemes: Collection[str]) -> bool:
        """Return whether a chunk with these lexemes holds the term."""
        return self.parts <= parts_of(self.weights.keys() & lexemes)


@dataclass(frozen=True, slots=True)
class Sought:
    """What is marked in hits: the query's own tokens, and those of synonyms where all of the term is there."""

    own: frozenset[str]
    terms: tuple[Term, ...] = ()

    @classmethod
    def together(cls, several: Sequence[Sought]) -> Sought:
        """Return what is marked where several KBs were asked."""
        own = frozenset[str]().union(*(part.own for part in several))
        return cls(own, tuple(term for part in several for term in part.terms))

    @property
    def tokens(self) -> set[str]:
        """All that may be marked."""
        return set(self.own).union(*(term.weights for term in self.terms))

    def marked(self, lexemes: Collection[str]) -> set[str]:
        """Return those of a chunk's lexemes that are marked in it."""
        present = set(lexemes)
        held = (term.weights.keys() for term in self.terms if term.is_held(present))
        return present & self.own.union(*held)


def meant(query: str, groups: Sequence[Sequence[str]]) -> list[Meant]:
    """Return which terms of a KB's synonyms a query holds: of terms that overlap the longest.

    A term in letters must be there as a whole word, or words that follow each other; in Chinese it may stand anywhere.
    """
    asked = _spelt(query)
    present = {spelling for group in groups for spelling in map(_spelling, group) if spelling and spelling in asked}
    spellings = []
    for spelling in sorted(present, key=lambda term: (-len(term), term)):
        if spelling in asked:
            # No other term can begin or end within this one.
            asked = asked.replace(spelling, "\n")
            spellings.append(spelling)
    return [_meant(spelling, groups) for spelling in spellings]


def _meant(spelling: str, groups: Sequence[Sequence[str]]) -> Meant:
    others = {
        other: tuple(query_tokens(other))
        for group in ([*map(_spelling, group)] for group in groups)
        if spelling in group
        for other in group
        if other != spelling
    }
    return Meant(frozenset(query_tokens(spelling)), tuple(others.values()))


@lru_cache(2 * MOST_TERMS)
def _spelling(term: str) -> str:
    return _spelt(term)


def _spelt(text: str) -> str:
    """Write a text so that a term in it is a part of it: words between spaces, other scripts as they are."""
    parts: list[str] = []
    end, before = 0, True
    for start, run, spaced in runs(normalised(text)):
        if not spaced and not before and start != end:
            parts.append("\n")
        parts.append(f" {run} " if spaced else run)
        end, before = start + len(run), spaced
    return "".join(parts)


def says_something(term: str) -> bool:
    """Return whether a term holds a word or a number, so that it can be found at all."""
    return bool(_spelling(term))


def distinct(terms: Sequence[str]) -> int:
    """Return how many terms differ in more than case, width, marks, or traditional and simplified characters."""
    return len(set(map(_spelling, terms)))


def parts_of(tokens: Collection[str]) -> frozenset[str]:
    """Return the words of tokens, and the characters of those in a script without spaces."""
    return frozenset(part for token in tokens for part in ([token] if is_spaced(token) else token))
