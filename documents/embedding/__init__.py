"""Texts to vectors, by one of several providers."""

from __future__ import annotations

from functools import lru_cache

from documents.embedding.interface import Embedded, Embedder, Kind, Nearness
from documents.embedding.local import LocalEmbedder
from documents.measure import BYTES, LOCAL
from errors import TaskError
from settings import Settings

__all__ = ["Embedded", "Embedder", "Kind", "Nearness", "embedder", "token_measure"]


def embedder(name: str, settings: Settings) -> Embedder:
    """The embedder of a name: a provider (`local`, `cohere`, `openai`), or all of an embedder's own `name`.

    The second form finds the embedder that an index was built with, whatever the settings say now.

    Raises:
      TaskError: embedder_rejected, when there is no such embedder here, or no key for it.
    """
    provider, _, rest = name.partition(":")
    model, _, last = rest.rpartition(":")
    dimension = int(last) if last.isdigit() else None
    if provider == "local" and name in (provider, LocalEmbedder.name):
        return LocalEmbedder()
    if provider == "cohere":
        if settings.cohere_api_key is None:
            raise TaskError("embedder_rejected", f"COHERE_API_KEY is not set, and the embedder {name} needs it")
        key = settings.cohere_api_key.get_secret_value()
        return _cohere(key, model or settings.cohere_model, dimension, settings.cohere_base_url)
    if provider == "openai":
        if settings.embedding_api_key is None and settings.embedding_base_url is None:
            raise TaskError(
                "embedder_rejected",
                f"neither EMBEDDING_API_KEY nor EMBEDDING_BASE_URL is set, and the embedder {name} needs one of them",
            )
        return _openai(
            settings.embedding_api_key.get_secret_value() if settings.embedding_api_key else None,
            model or settings.embedding_model,
            dimension,
            settings.embedding_base_url,
            settings.embedding_batch_size,
        )
    raise TaskError("embedder_rejected", f"there is no embedder {name!r} here")


def token_measure(name: str, settings: Settings) -> str:
    """How the tokens of an embedder are counted: a name that `documents.measure.measure` understands."""
    if name.partition(":")[0] == "local":
        return LOCAL
    return str(settings.embedding_tokenizer) if settings.embedding_tokenizer else BYTES


# Cached, so that all calls of a process share one client and its connections.
@lru_cache(maxsize=8)
def _cohere(key: str, model: str, dimension: int | None, base_url: str | None) -> Embedder:
    from documents.embedding.cohere import CohereEmbedder

    return CohereEmbedder(key, model, dimension, base_url)


@lru_cache(maxsize=8)
def _openai(key: str | None, model: str, dimension: int | None, base_url: str | None, batch_size: int) -> Embedder:
    from documents.embedding.openai import OpenAIEmbedder

    return OpenAIEmbedder(key, model, dimension, base_url, batch_size)
