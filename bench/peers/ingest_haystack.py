"""Haystack: converters by type of file, a splitter and PgvectorDocumentStore, in one pipeline.

As in docs.haystack.deepset.ai/docs/filetyperouter and …/pgvectordocumentstore.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from haystack import Document, Pipeline, component
from haystack.components.converters import (
    DOCXToDocument,
    HTMLToDocument,
    MarkdownToDocument,
    PyPDFToDocument,
    TextFileToDocument,
)
from haystack.components.joiners import DocumentJoiner
from haystack.components.preprocessors import RecursiveDocumentSplitter
from haystack.components.routers import FileTypeRouter
from haystack.components.writers import DocumentWriter
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret
from haystack_integrations.document_stores.pgvector import PgvectorDocumentStore

from bench.peers.ingest import DIMENSION, OVERLAP, SIZE, TEXT_ENCODING, vectors

#: Media types and what reads them.
CONVERTERS: dict[str, tuple[str, Any]] = {
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", DOCXToDocument()),
    "html": ("text/html", HTMLToDocument()),
    "markdown": ("text/markdown", MarkdownToDocument(progress_bar=False)),
    "pdf": ("application/pdf", PyPDFToDocument()),
    "text": ("text/plain", TextFileToDocument(encoding=TEXT_ENCODING)),
}


@component
class Local:
    """The embedder of all contestants."""

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Give each document its vector."""
        embeddings = vectors([document.content or "" for document in documents])
        return {
            "documents": [
                replace(document, embedding=embedding)
                for document, embedding in zip(documents, embeddings, strict=True)
            ]
        }


class Ingest:
    """Runs a pipeline into a document store."""

    def __init__(self, database_url: str) -> None:
        store = PgvectorDocumentStore(
            connection_string=Secret.from_token(database_url), table_name="mixed", embedding_dimension=DIMENSION
        )
        self._pipeline = Pipeline()
        self._pipeline.add_component("router", FileTypeRouter(mime_types=[kind for kind, _ in CONVERTERS.values()]))
        self._pipeline.add_component("joiner", DocumentJoiner())
        self._pipeline.add_component(
            "splitter",
            # By sentences would need data that NLTK downloads.
            RecursiveDocumentSplitter(
                split_length=SIZE, split_overlap=OVERLAP, split_unit="char", separators=["\n\n", "\n", r"\. ", " "]
            ),
        )
        self._pipeline.add_component("embedder", Local())
        self._pipeline.add_component("writer", DocumentWriter(store, policy=DuplicatePolicy.OVERWRITE))
        for name, (kind, converter) in CONVERTERS.items():
            self._pipeline.add_component(name, converter)
            self._pipeline.connect(f"router.{kind}", f"{name}.sources")
            self._pipeline.connect(f"{name}.documents", "joiner.documents")
        for sender, receiver in (("joiner", "splitter"), ("splitter", "embedder"), ("embedder", "writer")):
            self._pipeline.connect(f"{sender}.documents", f"{receiver}.documents")

    def take_in(self, paths: Sequence[Path]) -> None:
        """Read, split, embed and store files."""
        self._pipeline.run({"router": {"sources": list(paths)}})
