"""The headers that a document's URL is fetched with, as a client may say them: secrets, which no message quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sentences import say

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


def checked(headers: object) -> object:
    """Return headers as they are.

    Raises:
      ValueError: some do not fit; neither a value nor what is no name is quoted.
    """
    if headers is None:
        return None
    if not isinstance(headers, Mapping) or not all(isinstance(part, str) for pair in headers.items() for part in pair):
        raise ValueError(say("headers_object"))
    if len(headers) > MOST:
        raise ValueError(say("headers_number", count=len(headers), most=MOST))
    if (size := sum(len(name) + len(value) for name, value in headers.items())) > LARGEST:
        raise ValueError(say("headers_size", size=size, most=LARGEST))
    for name, value in headers.items():
        if not NAME.fullmatch(name):
            raise ValueError(say("header_name"))
        if name.lower() in OURS:
            raise ValueError(say("header_reserved", name=name))
        if not VALUE.fullmatch(value):
            raise ValueError(say("header_value", name=name))
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError(say("header_twice"))
    return headers
