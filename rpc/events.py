"""Events as REST streams them (Server-Sent Events), read one by one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any


async def read(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield the id and the data of each event; a comment, which only keeps the line open, has none."""
    waiting = b""
    async for piece in pieces:
        *blocks, waiting = (waiting + piece).split(b"\n\n")
        for block in blocks:
            # Only a line feed ends a line; JSON may hold what Python would split at as well.
            fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
            if b"data" in fields:
                yield fields[b"id"].decode(), json.loads(fields[b"data"])
