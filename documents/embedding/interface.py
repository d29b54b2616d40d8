"""What every embedder offers."""

from __future__ import annotations

import math
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


@dataclass(frozen=True, slots=True)
class Curve:
    """How likely it is that a KB answers a query, by the scores of its hits: a logistic function of the best score, and
    of its lead over the tenth. Where half of all queries have an answer, it is as likely as not at 0.5.

    usual: the tenth score, for KBs that have fewer chunks.
    """

    base: float
    best: float
    lead: float = 0.0
    usual: float = 0.0

    def at(self, scores: Sequence[float]) -> float:
        """Return the likelihood for some scores, the best first; 0 when there is none."""
        if not scores:
            return 0.0
        tenth = scores[9] if len(scores) > 9 else self.usual
        return 1 / (1 + math.exp(-(self.base + self.best * scores[0] + self.lead * (scores[0] - tenth))))


@dataclass(frozen=True, slots=True)
class Nearness:
    """What the cosine of a query's and a chunk's vectors means; models differ in it.

    floor: the cosine of texts that have nothing to do with each other, which counts as 0.
    ceiling: the cosine of a passage that answers the query as well as one can, which counts as 1.
    weight: what vectors count in hybrid search, where words count the rest up to 1.
    hybrid, vector: what the scores of these modes say of whether a KB answers.
    """

    floor: float
    ceiling: float
    weight: float
    hybrid: Curve
    vector: Curve

    def share(self, cosine: float) -> float:
        """Return where a cosine lies between floor and ceiling, from 0 to 1."""
        return min(1.0, max(0.0, (cosine - self.floor) / (self.ceiling - self.floor)))


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
    def nearness(self) -> Nearness:
        """What its cosines mean. A provider has to be asked once.

        Raises:
          TaskError: as `embed`.
        """

    def __hash__(self) -> int:
        """Hash by identity."""

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Embed texts: `dimension` single-precision floats each, of Euclidean norm 1.

        Raises:
          TaskError: embedder_rejected, embedder_unavailable or rate_limited.
        """
