"""What every embedder offers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["document", "query"]


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector for each text, in the order of the texts, and the tokens that are billed for them."""

    vectors: list[array[float]]
    tokens: int


class Embedder(Protocol):
    """Turns texts into vectors. An index holds the vectors of one embedder only, which `name` identifies."""

    @property
    def name(self) -> str:
        """Provider, model and dimension, as in `local:hashed-ngrams:1024`."""

    @property
    def dimension(self) -> int:
        """The length of every vector."""

    @property
    def batch_size(self) -> int:
        """Texts that `embed` is best given at once; more is allowed where the provider allows it."""

    @property
    def batch_tokens(self) -> int:
        """Tokens that the provider takes in one request, all its texts together."""

    @property
    def dense_weight(self) -> float:
        """What a rank by these vectors counts beside a rank by words, in hybrid search."""

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Embed texts: `dimension` single-precision floats each, of Euclidean norm 1.

        Raises:
          TaskError: embedder_rejected, embedder_unavailable or rate_limited.
        """
