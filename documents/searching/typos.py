"""Spelling correction: a word that no text of a KB contains is replaced by words one edit away that it does contain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_lowercase

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.searching.tsquery import any_of

#: Letters of a word that may be mistyped: of shorter ones every second is another word with a letter changed.
SHORTEST, LONGEST = 5, 20
#: Words of a query that are looked after, the first.
WORDS = 2
#: Chunks in which the words one edit away are counted.
CHUNKS = 100

_READ_ALL = text("SELECT set_config('enable_seqscan', :value, true)")


def corrections(session: Session, kb_id: str, words: Sequence[str]) -> dict[str, str]:
    """Return for each word, none of which the KB holds, the one of the KB that is one edit away: a letter that is
    missing, too many, another, or changed places with the next. The first letter is the same. Of several, that of the
    most chunks.
    """
    asked = [word for word in words if word.isascii() and word.isalpha() and SHORTEST <= len(word) <= LONGEST][:WORDS]
    if not asked:
        return {}
    near = {word: set(_one_edit_away(word)) for word in asked}
    every = sorted(set().union(*near.values()))
    # The planner takes some hundred words for half of all chunks, and would read every one.
    session.execute(_READ_ALL, {"value": "off"})
    rows = session.execute(
        text("""
            WITH holding AS MATERIALIZED (
                SELECT tokens FROM chunks
                 WHERE ARRAY[kb_id] @> ARRAY[:kb_id] AND tokens @@ CAST(:any AS tsquery) LIMIT :chunks
            )
            SELECT lexeme, count(*) AS chunks FROM holding, unnest(tokens) WHERE lexeme = ANY(:every) GROUP BY lexeme
        """),
        {"kb_id": kb_id, "any": any_of(every), "every": every, "chunks": CHUNKS},
    )
    held = {row.lexeme: row.chunks for row in rows}
    session.execute(_READ_ALL, {"value": "on"})
    best = {
        word: max(near[word] & held.keys(), key=lambda candidate: (held[candidate], candidate), default=None)
        for word in asked
    }
    return {word: correction for word, correction in best.items() if correction is not None}


def _one_edit_away(word: str) -> Iterator[str]:
    for at in range(1, len(word) + 1):
        before, rest = word[:at], word[at:]
        for letter in ascii_lowercase:
            yield before + letter + rest
            if rest and letter != rest[0]:
                yield before + letter + rest[1:]
        if rest:
            yield before + rest[1:]
        if len(rest) > 1 and rest[0] != rest[1]:
            yield before + rest[1] + rest[0] + rest[2:]
