"""LlamaIndex: SimpleDirectoryReader, IngestionPipeline and PGVectorStore.

As in developers.llamaindex.ai/python/framework/module_guides/loading/ingestion_pipeline and …/vector_stores/postgres.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core import SimpleDirectoryReader
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document
from llama_index.vector_stores.postgres import PGVectorStore

from bench.peers.ingest import DIMENSION, OVERLAP, SIZE, TEXT_ENCODING, vectors

#: Texts that the embedder is given at once.
EMBEDDED_AT_ONCE = 256


class Local(BaseEmbedding):
    """The embedder of all contestants."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return vectors([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return vectors(texts)

    def _get_query_embedding(self, query: str) -> list[float]:
        return vectors([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return vectors([query])[0]


def load(paths: Sequence[Path]) -> list[Document]:
    """Read PDFs by their pages, and other files as a whole, HTML with its tags. A reader knows one encoding."""
    documents: list[Document] = []
    for encoding, files in (
        (TEXT_ENCODING, [path for path in paths if path.suffix == ".txt"]),
        ("utf-8", [path for path in paths if path.suffix != ".txt"]),
    ):
        if files:
            documents += SimpleDirectoryReader(input_files=files, encoding=encoding, raise_on_error=True).load_data()
    return documents


class Ingest:
    """Runs a pipeline into a vector store."""

    def __init__(self, database_url: str) -> None:
        store = PGVectorStore.from_params(
            connection_string=database_url.replace("postgresql://", "postgresql+psycopg2://"),
            async_connection_string=database_url.replace("postgresql://", "postgresql+asyncpg://"),
            table_name="mixed",
            embed_dim=DIMENSION,
            use_jsonb=True,
        )
        transformations: list[Any] = [
            SentenceSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP, tokenizer=list),
            Local(embed_batch_size=EMBEDDED_AT_ONCE),
        ]
        self._pipeline = IngestionPipeline(transformations=transformations, vector_store=store)

    def take_in(self, paths: Sequence[Path]) -> None:
        """Read, split, embed and store files."""
        self._pipeline.run(documents=load(paths))
