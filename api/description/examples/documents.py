"""KBs, documents and searches."""

from __future__ import annotations

from api.description.examples.names import AT, CURSOR, DOCUMENT, DONE, FAILURE, KB, OTHER_TASK, TASK
from models.base import Json

_TEXT = "# Leave\n\nEverybody has 30 days of leave a year.\n\n每人每年有三十天假期。\n"
_CHUNK = {
    "chunk_id": f"{TASK}:0",
    "index": 0,
    "text": "Everybody has 30 days of leave a year.",
    "start": 9,
    "end": 47,
    "page": None,
    "heading_path": ["Leave"],
    "context": None,
}
_NEXT = {**_CHUNK, "chunk_id": f"{TASK}:1", "index": 1, "text": "每人每年有三十天假期。", "start": 49, "end": 60}
_KB = {
    "kb_id": KB,
    "documents": 120,
    "chunks": 4810,
    "bytes": 9_120_544,
    "embedder": "local:multilingual-e5-small",
    "tokens_embedded": 0,
    "estimated_cost": 0.0,
    "index": {"state": "exact", "chunks": 0},
    "tasks": {"waiting": 0, "queued": 3, "processing": 1, "failed": 2},
    "at_least": [],
    "created_at": AT,
    "updated_at": DONE,
    "settings": {
        "chunk_size": 500,
        "chunk_overlap": None,
        "chunk_unit": None,
        "embedder": None,
        "callback_url": None,
        "has_callback_secret": False,
        "weight": 1,
        "synonyms": [["VPN", "virtual private network"], ["报销", "费用报销"]],
    },
}
_DOCUMENT = {
    "document_id": DOCUMENT,
    "version": 2,
    "task_id": TASK,
    "chunks": 12,
    "characters": 9210,
    "bytes": 9344,
    "pages": None,
    "filename": DOCUMENT,
    "format": "markdown",
    "encoding": "utf-8",
    "embedder": "local:multilingual-e5-small",
    "metadata": {"lang": "en"},
    "properties": {"title": "Leave"},
    "warnings": [],
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "created_at": AT,
    "updated_at": DONE,
    "state": "failed",
    "pending": None,
    "failed": {"task_id": OTHER_TASK, "error": FAILURE, "at": DONE},
}

EXAMPLES: Json = {
    "Kb": _KB,
    "KbPage": {"items": [_KB], "next_cursor": None},
    "Document": _DOCUMENT,
    "DocumentPage": {"items": [_DOCUMENT], "next_cursor": CURSOR},
    "DocumentsPreview": {"count": 2, "capped": False, "examples": ["2024/leave.md", "2024/travel.md"]},
    "ChunkPage": {"items": [_CHUNK, _NEXT], "next_cursor": None},
    "ChunkAround": {"chunk": _CHUNK, "before": [], "after": [_NEXT]},
    "PreviewAnswer": {
        "format": "markdown",
        "encoding": "utf-8",
        "pages": None,
        "characters": len(_TEXT),
        "warnings": [],
        "text": _TEXT,
        "chunks": [{name: value for name, value in chunk.items() if name != "chunk_id"} for chunk in (_CHUNK, _NEXT)],
    },
    "SearchAnswer": {
        "hits": [
            {
                "kb_id": KB,
                "document_id": DOCUMENT,
                "chunk_id": f"{TASK}:0",
                "chunk_ids": [f"{TASK}:0"],
                "text": _CHUNK["text"],
                "page": None,
                "heading_path": ["Leave"],
                "context": None,
                "start": 9,
                "end": 47,
                "score": 0.81,
                "scores": {"words": 0.76, "vector": 0.84, "rerank": None},
                "highlights": [{"start": 17, "end": 21}, {"start": 25, "end": 30}],
                "before": [],
                "after": [],
            }
        ],
        "confidence": 0.93,
        "degraded": None,
        "took_ms": 7.4,
    },
}

TEXTS = {
    "get_document_text": _TEXT,
    "get_document_original": _TEXT,
}
