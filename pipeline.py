"""The stages of a document, named once: each is an actor in `actors/document/`, a queue and a label of that name."""

from __future__ import annotations

from typing import NamedTuple


class Label(NamedTuple):
    """What is shown of a stage: its share of the progress bar in percent, and its Chinese name."""

    weight: int
    chinese: str


#: In their order.
LABELS = {
    "preprocessing": Label(30, "预处理"),
    "chunking": Label(10, "分块处理"),
    "embedding": Label(40, "向量化"),
    "storing": Label(15, "存储"),
    "indexing": Label(5, "建立索引"),
}
STAGES = tuple(LABELS)
