"""Code pages of Windows by their numbers, which RTF and mails of Outlook name."""

from __future__ import annotations

import codecs

_PAGES = {
    **{936: "gb18030", 1200: "utf-16-le", 10000: "mac_roman", 20127: "ascii", 20866: "koi8-r", 20932: "euc-jp"},
    **{20936: "gb2312", 21866: "koi8-u", 50220: "iso-2022-jp", 51932: "euc-jp", 51936: "gb18030", 51949: "euc-kr"},
    **{54936: "gb18030", 65000: "utf-7", 65001: "utf-8"},
    **{28590 + part: f"iso8859-{part}" for part in range(1, 16)},
}


def encoding_of_page(page: int) -> str | None:
    """Return the encoding that the number of a code page means; None for one that is unknown."""
    name = _PAGES.get(page, f"cp{page}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None
