"""What embedding costs, to estimate what a document did."""

from __future__ import annotations

from settings import Settings

#: US dollars for a million tokens, by model, as Cohere and OpenAI listed them in November 2026.
PRICES = {
    "embed-v4.0": 0.12,
    "text-embedding-3-small": 0.02,
    "text-embedding-3-large": 0.13,
    "text-embedding-ada-002": 0.10,
}


def cost(embedder: str, tokens: int, settings: Settings) -> float | None:
    """Return the US dollars for tokens of an embedder, by its name; None when its price is not known."""
    price = per_token(embedder, settings)
    return None if price is None else round(tokens * price, 8)


def per_token(embedder: str, settings: Settings) -> float | None:
    """Return the US dollars for one token: by EMBEDDING_PRICE, or else by the provider's list.

    An endpoint of one's own has none there.
    """
    provider, _, rest = embedder.partition(":")
    price: float | None = settings.embedding_price
    if provider in ("local", "e5", "onnx"):
        price = 0.0
    elif price is None and not (provider == "openai" and settings.embedding_base_url):
        price = PRICES.get(rest.rpartition(":")[0])
    return None if price is None else price / 1_000_000
