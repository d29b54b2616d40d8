"""A folder of documents, and questions to which one of them is the answer."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path


def documents(folder: Path) -> dict[str, Path]:
    """Return each file below a folder by its path in it, which is its id."""
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


def questions(files: dict[str, Path], wanted: int) -> dict[str, str]:
    """Return the ids of some documents, each with a line whose words tell it from the others."""
    texts = {name: path.read_text("utf-8", errors="replace") for name, path in files.items() if path.suffix != ".html"}
    spread = Counter(word for text in texts.values() for word in words(text))

    def own(line: str) -> int:
        return sum(spread[word] == 1 for word in words(line))

    asked = {}
    for name, text in texts.items():
        lines = [line.strip() for line in text.splitlines() if 6 <= len(line.split()) <= 15]
        if lines and own(best := max(lines, key=own)) > 1:
            asked[name] = best
    step = max(1, len(asked) // wanted)
    return dict([*asked.items()][::step][:wanted])


def words(text: str) -> set[str]:
    """The words of a text, without short ones."""
    return set(re.findall(r"[a-z]{4,}", text.lower()))
