"""Examples of what is answered and sent; a test holds each against its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.description.examples import documents, operations, tasks

#: By the model that an example is of.
EXAMPLES: Mapping[str, Any] = {**tasks.EXAMPLES, **documents.EXAMPLES, **operations.EXAMPLES}

#: Of answers that have no model, by their operation.
TEXTS: Mapping[str, str] = {**tasks.TEXTS, **documents.TEXTS, **operations.TEXTS}
