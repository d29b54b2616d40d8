"""Texts to vectors, by one of several providers."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from documents.embedding.interface import Curve, Embedded, Embedder, Kind, Nearness
from documents.embedding.local import LocalEmbedder
from documents.embedding.prefixed import Prefixed
from documents.splitting.measure import BYTES, LOCAL
from errors import TaskError
from settings import Settings

#: The model that comes with it, and what its authors put before queries and passages (its card on Hugging Face).
E5 = "multilingual-e5-small"
E5_DIMENSION = 384
E5_PREFIXES = ("query: ", "passage: ")

#: The providers that are no service of somebody else.
OWN = ("local", "e5", "onnx")

__all__ = ["Curve", "Embedded", "Embedder", "Kind", "Nearness", "embedder", "is_own", "token_measure"]


def embedder(name: str, settings: Settings) -> Embedder:
    """Return the embedder of a name: a provider's (`local`, `e5`, `onnx`, `cohere`, `openai`), or its own `name`.

    The second form finds the embedder that an index was built with, whatever the settings say now.

    Raises:
      TaskError: embedder_rejected, when there is no such embedder here, or no key for it.
    """
    provider = name.partition(":")[0]
    usual = E5_PREFIXES if provider == "e5" else ("", "")
    query, document = (
        own if said is None else said
        for said, own in zip((settings.embedding_query_prefix, settings.embedding_document_prefix), usual, strict=True)
    )
    made = _embedder(name, settings)
    return _prefixed(made, query, document) if (query or document) and provider != "local" else made


def _embedder(name: str, settings: Settings) -> Embedder:
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
    if provider == "e5" and model in ("", E5):
        return _model(f"e5:{E5}", _folder_of_e5(settings), True, E5_DIMENSION)
    if provider == "onnx":
        own = settings.embedding_model_path
        if own is None or model not in ("", own.name):
            raise TaskError("embedder_rejected", f"EMBEDDING_MODEL_PATH does not name the folder of {name}")
        return _model(f"onnx:{own.name}", own, False, dimension)
    raise TaskError("embedder_rejected", f"there is no embedder {name!r} here")


def is_own(name: str) -> bool:
    """Return whether an embedder runs on this machine: what it makes costs time only, and nobody limits its pace."""
    return name.partition(":")[0] in OWN


def token_measure(name: str, settings: Settings) -> str:
    """Return how an embedder's tokens are counted: a name that `documents.splitting.measure.measure` understands."""
    provider = name.partition(":")[0]
    if provider == "local":
        return LOCAL
    own = settings.embedding_tokenizer
    if provider in ("e5", "onnx") and own is None:
        folder = _folder_of_e5(settings) if provider == "e5" else settings.embedding_model_path
        # That of `e5` is made when the first text is embedded.
        own = folder / "tokenizer.json" if folder and (folder / "tokenizer.json").exists() else None
    return str(own) if own else BYTES


def _folder_of_e5(settings: Settings) -> Path:
    return settings.embedding_model_path or settings.data_dir / "models" / E5


# Cached, so that all calls of a process share one client and its connections.
@lru_cache(maxsize=8)
def _cohere(key: str, model: str, dimension: int | None, base_url: str | None) -> Embedder:
    from documents.embedding.cohere import CohereEmbedder

    return CohereEmbedder(key, model, dimension, base_url)


@lru_cache(maxsize=8)
def _openai(key: str | None, model: str, dimension: int | None, base_url: str | None, batch_size: int) -> Embedder:
    from documents.embedding.openai import OpenAIEmbedder

    return OpenAIEmbedder(key, model, dimension, base_url, batch_size)


@lru_cache(maxsize=8)
def _model(name: str, folder: Path, builds: bool, dimension: int | None) -> Embedder:
    from documents.embedding.model.embedder import ModelEmbedder

    return ModelEmbedder(name, folder.resolve(), builds=builds, dimension=dimension)


# Cached, so that what a model's cosines mean is asked once.
@lru_cache(maxsize=8)
def _prefixed(embedder: Embedder, query: str, document: str) -> Embedder:
    return Prefixed(embedder, query, document)
