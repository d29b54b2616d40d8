"""An upload in messages, as the form that REST takes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

from api.problems import Invalid, problem
from sentences import say


class Form:
    """A multipart form (RFC 7578): the fields first, then the document as it comes.

    Parameters:
      fields: of the form, besides `file`.
      pieces: messages with the bytes of the document.
    """

    def __init__(self, fields: Mapping[str, str], pieces: AsyncIterator[Any]) -> None:
        self._fields = fields
        self._pieces = pieces
        # No document holds it but by a chance of 2**-256.
        self._boundary = secrets.token_hex(32)

    @property
    def content_type(self) -> str:
        """The media type, which tells the parts apart."""
        return f"multipart/form-data; boundary={self._boundary}"

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the form, piece by piece."""
        for name, value in self._fields.items():
            yield self._part(name) + value.encode() + b"\r\n"
        yield self._part("file")
        async for piece in self._pieces:
            if piece.WhichOneof("part") != "data":
                raise Invalid([problem("data", say("data_missing"))])
            yield piece.data
        yield f"\r\n--{self._boundary}--\r\n".encode()

    def _part(self, name: str) -> bytes:
        return f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
