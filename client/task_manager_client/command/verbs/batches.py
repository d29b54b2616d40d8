"""`tm batches`"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from task_manager_client.client import TaskManager
from task_manager_client.command.arguments import BATCHES as FILTERS
from task_manager_client.command.complaints import complain
from task_manager_client.command.main import DONE
from task_manager_client.command.output import answered, show_list, show_one
from task_manager_client.command.values import said
from task_manager_client.command.verbs.tasks import bulk_ended, change_all

BATCHES = ("batch_id", "status", "total", "progress", "counts.failed", "counts.cancelled", "created_at", "finished_at")


def batches_(arguments: Namespace) -> int:
    """List batches; show, cancel or retry one, or all of a filter."""
    chosen = said(arguments, FILTERS)
    with TaskManager(retries=0 if arguments.action in ("list", "get") else 3) as tm:
        match arguments.action:
            case "list":
                if not show_list(tm.batches.list(**chosen), BATCHES, arguments):
                    complain("tm: no batch fits")
            case "get":
                show_one(tm.batches.get(arguments.name).raw, arguments)
            case action if arguments.name is None:
                return change_all(arguments, tm.batches, action, chosen)
            case action:
                return _change(tm, arguments, action, chosen)
    return DONE


def _change(tm: TaskManager, arguments: Namespace, action: str, chosen: Mapping[str, object]) -> int:
    """Cancel or retry one batch."""
    if chosen or arguments.all or arguments.dry_run:
        raise ValueError(
            "name a batch by its id, or batches by a filter, not both; --all and --dry-run go with a filter"
        )
    if action == "cancel":
        batch = tm.batches.cancel(arguments.name)
        answered(f"{batch.batch_id}: {batch.counts.cancelled} of {batch.total} tasks are cancelled", batch, arguments)
        return DONE
    batch = tm.batches.get(arguments.name)
    return bulk_ended(arguments, tm.tasks.retry_all(batch_id=batch.batch_id).wait(), action)
