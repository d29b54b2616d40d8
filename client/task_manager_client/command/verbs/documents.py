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
from task_manager_client.command.verbs.tasks import Scope, agreed, ended, stops

DOCUMENTS = ("document_id", "version", "format", "pages", "chunks", "characters", "updated_at")
CHUNKS = ("index", "page", "heading_path", "text")
FILTERS = ("prefix", "metadata", "format", "state", "updated_after", "sort")


def documents_(arguments: Namespace) -> int:
    """List the documents of a KB; show, read, change or delete them."""
    chosen = said(arguments, FILTERS)
    if arguments.action in ("list", "delete") and "metadata" in chosen:
        chosen["metadata"] = wanted_metadata(arguments.metadata)
    with TaskManager(retries=0) as tm:
        match arguments.action:
            case "list":
                if not show_list(tm.documents.list(arguments.kb, **chosen), DOCUMENTS, arguments):
                    complain(f"tm: {'no document fits' if chosen else f'there is no document in {arguments.kb}'}")
            case "get":
                show_one(tm.documents.get(arguments.kb, arguments.name).raw, arguments)
            case "text":
                _text(tm, arguments)
            case "original":
                _original(tm, arguments)
            case "chunks":
                show_list(tm.documents.chunks(arguments.kb, arguments.name), CHUNKS, arguments)
            case "change":
                if not arguments.metadata:
                    raise ValueError("change needs --metadata: NAME=VALUE, or a JSON object; {} takes all away")
                changed = tm.documents.change(arguments.kb, arguments.name, metadata=metadata(arguments.metadata))
                answered(f"{printable(changed.document_id)}: changed", changed, arguments)
            case "delete":
                return _delete(tm, arguments, chosen)
    return DONE


def _text(tm: TaskManager, arguments: Namespace) -> None:
    text = tm.documents.text(arguments.kb, arguments.name)
    if for_people(arguments):
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    else:
        show_one({"document_id": arguments.name, "text": text}, arguments)


def _original(tm: TaskManager, arguments: Namespace) -> None:
    """Write a document as it came into a file, or to standard output.

    Raises:
      ValueError: its bytes would go to a terminal, or among JSON.
    """
    if arguments.to is None and (not for_people(arguments) or sys.stdout.isatty()):
        raise ValueError("original writes the document's own bytes: say --to FILE, or send them elsewhere with >")
    original = tm.documents.original(arguments.kb, arguments.name)
    if arguments.to is None:
        sys.stdout.buffer.write(original)
        sys.stdout.buffer.flush()
        return
    try:
        Path(arguments.to).write_bytes(original)
    except OSError as error:
        raise ValueError(f"{arguments.to} cannot be written: {error.strerror}") from None
    row = {"document_id": arguments.name, "file": arguments.to, "bytes": len(original)}
    answered(f"{printable(arguments.name)}: {len(original):,} bytes are in {arguments.to}", row, arguments)


def _delete(tm: TaskManager, arguments: Namespace, chosen: dict[str, Any]) -> int:
    """Delete one document, or all of a filter."""
    if arguments.name is None:
        return _delete_all(tm, arguments, chosen)
    if chosen or arguments.all or arguments.dry_run:
        raise ValueError("name a document by its id, or documents by a filter, not both")
    if not agreed(arguments, f"delete {arguments.name} from {arguments.kb}"):
        return UNUSABLE
    tm.documents.delete(arguments.kb, arguments.name)
    answered(f"{printable(arguments.name)}: deleted", {"document_id": arguments.name, "deleted": True}, arguments)
    return DONE


def _delete_all(tm: TaskManager, arguments: Namespace, chosen: dict[str, Any]) -> int:
    if not chosen and not arguments.all:
        raise ValueError("delete names nothing: say which by an id, --prefix, --metadata, or --all")
    preview = tm.documents.preview_delete(arguments.kb, all=arguments.all, **chosen)
    rows = [{"document_id": example} for example in preview.examples]
    scope = Scope("delete", "document", preview.count, preview.raw, rows, ("document_id",), capped=preview.capped)
    if (code := stops(arguments, scope)) is not None:
        return code
    task = tm.documents.delete_all(arguments.kb, all=arguments.all, **chosen).wait()
    return ended(arguments, task, f"deleted {(task.result or {}).get('deleted')} documents")
