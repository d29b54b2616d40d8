"""`tm kbs`"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from task_manager_client.client import TaskManager
from task_manager_client.command.arguments import KB_SETTINGS
from task_manager_client.command.complaints import complain
from task_manager_client.command.main import DONE, UNUSABLE
from task_manager_client.command.output import answered, show_list, show_one
from task_manager_client.command.values import from_file, said
from task_manager_client.command.verbs.tasks import agreed

KBS = ("kb_id", "documents", "chunks", "bytes", "embedder", "tasks.processing", "tasks.failed", "updated_at")


def kbs_(arguments: Namespace) -> int:
    """List the KBs; show, change or delete one."""
    with TaskManager(retries=0) as tm:
        match arguments.action:
            case "list":
                if not show_list(tm.kbs.list(), KBS, arguments):
                    complain("tm: there is no KB")
            case "set":
                show_one(tm.kbs.change(arguments.name, **_settings(arguments)).raw, arguments)
            case "delete":
                kb = tm.kbs.get(arguments.name)
                if not agreed(arguments, f"delete the KB {kb.kb_id} with its {kb.documents} documents"):
                    return UNUSABLE
                task = tm.kbs.delete(kb.kb_id)
                answered(f"{kb.kb_id}: is deleted by task {task.task_id}", task.accepted, arguments)
            case "get":
                show_one(tm.kbs.get(arguments.name).raw, arguments)
    return DONE


def _settings(arguments: Namespace) -> dict[str, Any]:
    """Return what is to be set, by the names of REST; None: taken back.

    Raises:
      ValueError: nothing is, or one is both set and taken back.
    """
    settings = said(arguments, KB_SETTINGS)
    if "callback_secret" in settings:
        settings["callback_secret"] = from_file("--callback-secret", settings["callback_secret"])
    if "synonyms" in settings:
        settings["synonyms"] = [[term.strip() for term in group.split(",")] for group in settings["synonyms"]]
    for name in arguments.unset or ():
        if name in settings:
            raise ValueError(f"{name} is both set and taken back: say one of them")
        settings[name] = None
    if not settings:
        raise ValueError("set needs a setting, such as --chunk-size 500; `tm kbs set --help` lists them")
    return settings
