"""The two languages of the pages. A template says a text in English; the catalogue holds it in Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

import pipeline

Language = Literal["en", "zh"]
#: What the parameters of lists are called, in filters and on chips.
LABELS = {
    "status": "Status",
    "task_status": "With a task",
    "kb_id": "Knowledge base",
    "task_type": "Task type",
    "error_code": "Error code",
    "document_id": "Document",
    "batch_id": "Batch",
    "task_id": "Task",
    "stage": "Stage",
    "format": "Format",
    "queue": "Queue",
    "priority": "Priority",
    "created_after": "Submitted after",
    "created_before": "Submitted before",
    "finished_after": "Ended after",
    "finished_before": "Ended before",
    "updated_after": "Updated after",
    "since": "Done after",
    "state": "State",
    "host": "Host",
    "action": "Action",
    "name": "Key",
    "prefix": "Beginning of the id",
    "metadata": "Metadata",
    "sort": "Order",
}
#: Texts of values that templates say by a variable.
OF_VALUES = (
    *LABELS.values(),
    "any",
    "up to date",
    "newer under way",
    "newer failed",
    "id, first to last",
    "id, last first",
    "oldest first",
    "newest first",
    "smallest first",
    "largest first",
    "paused",
    "pending",
    "at work",
    "silent",
    "delivered",
    "owed",
    "read",
    "submit",
    "operate",
    "Dark",
    "Light",
    "System colours",
    "running",
    "put_off",
    "handed_back",
    "worker_died",
    "lost",
    "went_back",
    "open",
    "changed",
    "refused",
    "an hour",
    "a day",
    "a week",
    "90 days",
    "Completed",
    "Half of the attempts took at most",
    "95 % of the attempts took at most",
    "tasks",
    "seconds",
    "tokens",
    "US dollars",
    "exact",
    "indexed",
    "low",
    "normal",
    "high",
    "urgent",
    *pipeline.STAGES,
    "document_processing",
    "document_deletion",
    "documents_deletion",
    "kb_deletion",
    "kb_reindex",
    "bulk",
    "test",
    "benchmark",
    "Bad Request",
    "Unauthorized",
    "Forbidden",
    "Not Found",
    "Method Not Allowed",
    "Request Timeout",
    "Conflict",
    "Content Too Large",
    "Unsupported Media Type",
    "Unprocessable Entity",
    "Too Many Requests",
    "Internal Server Error",
    "Service Unavailable",
)


def label_of(name: str) -> str:
    """Return what a parameter of lists is called: by its own name, where it has no other."""
    return LABELS.get(name, name)


#: Says a text in a viewer's language; `%(name)s` in it stands for a value.
Say = Callable[..., str]


def language_of(cookie: str | None, accepted: str | None) -> Language:
    """Return the language that a viewer has chosen, or else the browser's first one of the two (RFC 9110, 12.5.4)."""
    if cookie in ("en", "zh"):
        return "zh" if cookie == "zh" else "en"
    wished = []
    for place, part in enumerate((accepted or "").lower().split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            wished.append((-float(quality or 1), place, name[:2]))
        except ValueError:
            continue
    known = [name for _, _, name in sorted(wished) if name in ("en", "zh")]
    return "zh" if known[:1] == ["zh"] else "en"


@cache
def chinese() -> dict[str, str]:
    """Return the catalogue: English text to Chinese text."""
    catalogue = tomllib.loads((Path(__file__).parent / "chinese.toml").read_text(encoding="utf-8"))
    return catalogue | {stage: label.chinese for stage, label in pipeline.LABELS.items()}


def say_in(language: Language) -> Say:
    """Return what says a text in a language. A text that the catalogue lacks stays English; a test finds it."""

    def say(english: str, **values: object) -> str:
        text = chinese().get(english, english) if language == "zh" else english
        return text % values if values else text

    return say
