"""Texts in requests that a provider takes, and what to do when it does not take one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from documents.embedding.interface import Embedded, Embedder
from errors import TaskError

#: What no provider refuses: embedding it tells a bad text from a bad key, a wrong model or a provider that is down.
HARMLESS = "text"

#: A text's tokens, by its bytes in UTF-8: English has some 4 to a token, Chinese 2 to 4 (measured on o200k and
#: Cohere's multilingual vocabulary by their publishers); more are assumed than there will be.
BYTES_PER_TOKEN = 3


def fitting(texts: Sequence[str], embedder: Embedder) -> int:
    """Return how many of the first texts one request may hold: at least one, which is all that can be tried."""
    sizes = accumulate(tokens(text) for text in texts[: embedder.batch_size])
    return max(1, sum(size <= embedder.batch_tokens for size in sizes))


def tokens(text: str) -> int:
    """Return about how many tokens a text has, rather more than fewer."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def outcomes(
    embed: Callable[[Sequence[str]], Embedded], texts: Sequence[str]
) -> Iterator[tuple[range, Embedded | TaskError]]:
    """Embed texts in one request. If some texts make it fail, split it in halves until those texts are alone.

    Parameters:
      embed: makes one request.

    Yields:
      which of the texts, and their vectors; or one text, and why it has none. Each is yielded when it is known, so
      that what was paid for can be kept whatever becomes of the rest.

    Raises:
      TaskError: the request failed whatever the texts.
    """
    try:
        yield range(len(texts)), embed(texts)
        return
    except TaskError as error:
        if error.code == "rate_limited":
            raise
        failed = error
    try:
        embed([HARMLESS])
    except TaskError:
        raise failed from None
    yield from _halves(embed, texts, range(len(texts)), failed)


def _halves(
    embed: Callable[[Sequence[str]], Embedded], texts: Sequence[str], span: range, failed: TaskError
) -> Iterator[tuple[range, Embedded | TaskError]]:
    if len(span) == 1:
        yield span, failed
        return
    middle = len(span) // 2
    for half in (span[:middle], span[middle:]):
        try:
            yield half, embed([texts[place] for place in half])
        except TaskError as error:
            if error.code == "rate_limited":
                raise
            yield from _halves(embed, texts, half, error)
