"""The headers that a document's URL is fetched with, as a client may say them: secrets, which no message quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: How many there may be, and characters of their names and values together.
MOST, LARGEST = 20, 8192
#: The names and values of RFC 9110, 5.5 and 5.6.2, in ASCII alone, which every server reads alike.
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
#: What this service says itself, by which the connection is kept, or that would bring other bytes than the document's.
OURS = frozenset({
    "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization",
    "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def checked(given: object) -> object:
    """Return headers as they are.

    Raises:
      ValueError: some do not fit; neither a value nor what is no name is quoted.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping) or not all(isinstance(part, str) for pair in given.items() for part in pair):
        raise ValueError("must be an object of names and values, both of them texts")
    if len(given) > MOST:
        raise ValueError(f"holds {len(given):,} headers, and may hold {MOST}")
    if (size := sum(len(name) + len(value) for name, value in given.items())) > LARGEST:
        raise ValueError(f"takes {size:,} characters, and may take {LARGEST:,}")
    for name, value in given.items():
        if not NAME.fullmatch(name):
            raise ValueError("holds a name that no header has; a name is letters, digits and -")
        if name.lower() in OURS:
            raise ValueError(f"{name} is not for a submission to say")
        if not VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} is empty, begins or ends with a blank, or is not printable ASCII")
    if len({name.lower() for name in given}) < len(given):
        raise ValueError("says a header twice; capitals do not tell two apart")
    return given
