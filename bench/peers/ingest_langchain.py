"""LangChain: loaders, the recursive splitter and PGVector.

As in docs.langchain.com/oss/python/langchain-knowledge-base and …/integrations/vectorstores/pgvector. PGVectorStore,
which its package recommends instead, stores each chunk by a statement and a commit of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from langchain_community.document_loaders import BSHTMLLoader, Docx2txtLoader, PyPDFLoader, TextLoader
from langchain_core.document_loaders import BaseLoader
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGVector
from langchain_text_splitters import RecursiveCharacterTextSplitter

from bench.peers.ingest import DIMENSION, OVERLAP, SIZE, TEXT_ENCODING, vectors

#: Chunks that are stored by one statement.
STORED_AT_ONCE = 500


class Local(Embeddings):
    """The embedder of all contestants."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        return vectors(texts)

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return vectors([text])[0]


def loader(path: Path) -> BaseLoader:
    """Return what reads a file: the pages of a PDF, or the whole of another."""
    match path.suffix:
        case ".pdf":
            return PyPDFLoader(path)
        case ".docx":
            return Docx2txtLoader(path)
        case ".html":
            return BSHTMLLoader(path, open_encoding="utf-8")
        case ".txt":
            return TextLoader(path, encoding=TEXT_ENCODING)
        case _:
            return TextLoader(path, encoding="utf-8")


class Ingest:
    """Loads, splits and adds documents."""

    def __init__(self, database_url: str) -> None:
        self._splitter = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP)
        self._store = PGVector(
            embeddings=Local(),
            embedding_length=DIMENSION,
            collection_name="mixed",
            connection=database_url.replace("postgresql://", "postgresql+psycopg://"),
            use_jsonb=True,
        )

    def take_in(self, paths: Sequence[Path]) -> None:
        """Read, split, embed and store files."""
        chunks = self._splitter.split_documents([document for path in paths for document in loader(path).load()])
        for first in range(0, len(chunks), STORED_AT_ONCE):
            self._store.add_documents(chunks[first : first + STORED_AT_ONCE])
