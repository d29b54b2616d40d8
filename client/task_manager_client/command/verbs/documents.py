"""`tm documents`"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from task_manager_client.client import TaskManager
from task_manager_client.command.complaints import complain
from task_manager_client.command.main import DONE, UNUSABLE
from task_manager_client.command.output import answered, for_people, printable, show_list, show_one
from task_manager_client.command.values import metadata, said, wanted_metadata
from task_manager_client.command.verbs.tasks import Found, agreed, ended, stops

DOCUMENTS = ("document_id", "version", "format", "pages", "chunks", "characters", "updated_at")
CHUNKS = ("index", "page", "heading_path", "text")
FILTERS = ("prefix", "metadata", "format", "state", "updated_after", "sort")


def documents_(asked: Namespace) -> int:
    """List the documents of a KB; show, read, change or delete them."""
    chosen = said(asked, FILTERS)
    if asked.action in ("list", "delete") and "metadata" in chosen:
        chosen["metadata"] = wanted_metadata(asked.metadata)
    with TaskManager(retries=0) as tm:
        match asked.action:
            case "list":
                if not show_list(tm.documents.list(asked.kb, **chosen), DOCUMENTS, asked):
                    complain(f"tm: {'no document fits' if chosen else f'there is no document in {asked.kb}'}")
            case "get":
                show_one(tm.documents.get(asked.kb, asked.name).raw, asked)
            case "text":
                _text(tm, asked)
            case "original":
                _original(tm, asked)
            case "chunks":
                show_list(tm.documents.chunks(asked.kb, asked.name), CHUNKS, asked)
            case "change":
                if not asked.metadata:
                    raise ValueError("change needs --metadata: NAME=VALUE, or a JSON object; {} takes all away")
                changed = tm.documents.change(asked.kb, asked.name, metadata=metadata(asked.metadata))
                answered(f"{printable(changed.document_id)}: changed", changed, asked)
            case "delete":
                return _delete(tm, asked, chosen)
    return DONE


def _text(tm: TaskManager, asked: Namespace) -> None:
    text = tm.documents.text(asked.kb, asked.name)
    if for_people(asked):
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    else:
        show_one({"document_id": asked.name, "text": text}, asked)


def _original(tm: TaskManager, asked: Namespace) -> None:
    """Write a document as it came into a file, or to standard output.

    Raises:
      ValueError: its bytes would go to a terminal, or among JSON.
    """
    if asked.to is None and (not for_people(asked) or sys.stdout.isatty()):
        raise ValueError("original writes the document's own bytes: say --to FILE, or send them elsewhere with >")
    original = tm.documents.original(asked.kb, asked.name)
    if asked.to is None:
        sys.stdout.buffer.write(original)
        sys.stdout.buffer.flush()
        return
    try:
        Path(asked.to).write_bytes(original)
    except OSError as error:
        raise ValueError(f"{asked.to} cannot be written: {error.strerror}") from None
    row = {"document_id": asked.name, "file": asked.to, "bytes": len(original)}
    answered(f"{printable(asked.name)}: {len(original):,} bytes are in {asked.to}", row, asked)


def _delete(tm: TaskManager, asked: Namespace, chosen: dict[str, Any]) -> int:
    """Delete one document, or all of a filter."""
    if asked.name is None:
        return _delete_all(tm, asked, chosen)
    if chosen or asked.all or asked.dry_run:
        raise ValueError("name a document by its id, or documents by a filter, not both")
    if not agreed(asked, f"delete {asked.name} from {asked.kb}"):
        return UNUSABLE
    tm.documents.delete(asked.kb, asked.name)
    answered(f"{printable(asked.name)}: deleted", {"document_id": asked.name, "deleted": True}, asked)
    return DONE


def _delete_all(tm: TaskManager, asked: Namespace, chosen: dict[str, Any]) -> int:
    if not chosen and not asked.all:
        raise ValueError("delete names nothing: say which by an id, --prefix, --metadata, or --all")
    preview = tm.documents.preview_delete(asked.kb, all=asked.all, **chosen)
    rows = [{"document_id": example} for example in preview.examples]
    scope = Found("delete", "document", preview.count, preview.raw, rows, ("document_id",), capped=preview.capped)
    if (code := stops(asked, scope)) is not None:
        return code
    task = tm.documents.delete_all(asked.kb, all=asked.all, **chosen).wait()
    return ended(asked, task, f"deleted {(task.result or {}).get('deleted')} documents")
