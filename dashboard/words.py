"""The two languages of the pages. A template says a text in English; the catalogue holds it in Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]
#: Texts of values that templates say by a variable.
OF_VALUES = (
    "paused",
    "pending",
    "delivered",
    "owed",
    "read",
    "submit",
    "operate",
    "Dark",
    "Light",
    "System colours",
    "running",
    "put_off",
    "handed_back",
    "worker_died",
    "lost",
    "went_back",
    "an hour",
    "a day",
    "a week",
    "90 days",
    "Completed",
    "Half of the attempts took at most",
    "95 % of the attempts took at most",
    "tasks",
    "seconds",
    "tokens",
    "US dollars",
    "exact",
    "indexed",
)
#: Says a text in a viewer's language; `%(name)s` in it stands for a value.
Say = Callable[..., str]


def language_of(cookie: str | None, accepted: str | None) -> Language:
    """Return the language that a viewer has chosen, or else the browser's first one of the two (RFC 9110, 12.5.4)."""
    if cookie in ("en", "zh"):
        return "zh" if cookie == "zh" else "en"
    wished = []
    for place, part in enumerate((accepted or "").lower().split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            wished.append((-float(quality or 1), place, name[:2]))
        except ValueError:
            continue
    known = [name for _, _, name in sorted(wished) if name in ("en", "zh")]
    return "zh" if known[:1] == ["zh"] else "en"


@cache
def chinese() -> dict[str, str]:
    """Return the catalogue: English text to Chinese text."""
    return tomllib.loads((Path(__file__).parent / "chinese.toml").read_text(encoding="utf-8"))


def say_in(language: Language) -> Say:
    """Return what says a text in a language. A text that the catalogue lacks stays English; a test finds it."""

    def say(english: str, **values: object) -> str:
        text = chinese().get(english, english) if language == "zh" else english
        return text % values if values else text

    return say
