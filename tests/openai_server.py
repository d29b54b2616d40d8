"""A server that speaks the wire format of OpenAI's /embeddings, as its many imitators do, and can be told to fail."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.cohere_server import CohereServer


class OpenAIServer(CohereServer):
    """`url` and `/v1` are for EMBEDDING_BASE_URL.

    base64: answer so where the request asks for it; some imitators answer in floats whatever it says.
    """

    texts_are_in = "input"

    def __init__(self, *, base64: bool = True) -> None:
        self.base64 = base64
        super().__init__()

    def refusal(self, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}

    def embedded(self, body: Mapping[str, Any], vectors: list[list[float]]) -> dict[str, Any]:
        in_base64 = self.base64 and body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if in_base64 else vector}
            for index, vector in enumerate(vectors)
        ]
        # The places say the order, not the list.
        random.Random(1).shuffle(data)
        tokens = sum(len(text.split()) for text in body["input"])
        return {
            "object": "list",
            "data": data,
            "model": body["model"],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


@contextmanager
def openai_server(*, base64: bool = True) -> Iterator[OpenAIServer]:
    """A server of one's own, that is stopped at the end."""
    server = OpenAIServer(base64=base64)
    try:
        yield server
    finally:
        server.close()
