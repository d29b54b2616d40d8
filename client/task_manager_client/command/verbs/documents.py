"""`tm kbs, documents`"""

from __future__ import annotations

import sys
from argparse import Namespace

from task_manager_client.client import TaskManager
from task_manager_client.command.complaints import complain
from task_manager_client.command.main import DONE, UNUSABLE
from task_manager_client.command.output import printable, say, show_list, show_one
from task_manager_client.command.verbs.tasks import agreed

KBS = ("kb_id", "documents", "chunks", "bytes", "embedder", "tasks.processing", "tasks.failed", "updated_at")
DOCUMENTS = ("document_id", "version", "format", "pages", "chunks", "characters", "updated_at")
CHUNKS = ("index", "page", "heading_path", "text")


def kbs_(asked: Namespace) -> int:
    """List the KBs, show one, or delete one."""
    with TaskManager(retries=0) as tm:
        if asked.action == "list" and asked.name is None:
            if not show_list(tm.kbs.list(), KBS, asked):
                complain("tm: there is no KB")
            return DONE
        kb = tm.kbs.get(_named(asked))
        if asked.action != "delete":
            show_one(kb.raw, asked.output, asked.fields)
            return DONE
        if not agreed(asked, f"delete the KB {kb.kb_id} with its {kb.documents} documents"):
            return UNUSABLE
        say(f"{kb.kb_id}: is deleted by task {tm.kbs.delete(kb.kb_id).task_id}")
    return DONE


def documents_(asked: Namespace) -> int:
    """List the documents of a KB; show, read or delete one."""
    with TaskManager(retries=0) as tm:
        match asked.action:
            case "list":
                if not show_list(tm.documents.list(asked.kb), DOCUMENTS, asked):
                    complain(f"tm: there is no document in {asked.kb}")
            case "get":
                show_one(tm.documents.get(asked.kb, _named(asked)).raw, asked.output, asked.fields)
            case "text":
                text = tm.documents.text(asked.kb, _named(asked))
                sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
            case "chunks":
                show_list(tm.documents.chunks(asked.kb, _named(asked)), CHUNKS, asked)
            case "delete":
                if not agreed(asked, f"delete {_named(asked)} from {asked.kb}"):
                    return UNUSABLE
                tm.documents.delete(asked.kb, asked.name)
                say(f"{printable(asked.name)}: deleted")
    return DONE


def _named(asked: Namespace) -> str:
    if asked.name is None:
        raise ValueError(f"{asked.action} needs the id of one")
    return str(asked.name)
