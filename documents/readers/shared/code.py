"""What tells code from prose in a word processor's document: the names of styles and of fonts."""

from __future__ import annotations

import re

#: What styles of code are called by Word, LibreOffice and pandoc.
_STYLES = re.compile(r"preformatted|source\s*code|verbatim|code listing|^code\b|代码", re.IGNORECASE)
#: Typefaces all of whose letters are equally wide; LibreOffice numbers those that it knows in two ways.
_FONTS = re.compile(
    r"courier|consol|mono\d*\b|monospace|menlo|monaco|typewriter|inconsolata|fixedsys|(?:source|fira|cascadia) code",
    re.IGNORECASE,
)


def is_code_style(name: str) -> bool:
    """Return whether a style is for code, by its name."""
    return bool(_STYLES.search(name))


def is_monospaced(font: str) -> bool:
    """Return whether a typeface is one that code is set in, by its name."""
    return bool(_FONTS.search(font))
