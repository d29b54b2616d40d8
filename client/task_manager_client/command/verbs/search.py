"""`tm search`"""

from __future__ import annotations

import json
from argparse import Namespace

from task_manager_client.client import TaskManager
from task_manager_client.command.complaints import complain
from task_manager_client.command.main import DONE
from task_manager_client.command.output import for_people, say, show, with_fields
from task_manager_client.command.values import said, wanted_metadata
from task_manager_client.core.call import without_none

OPTIONS = ("limit", "mode", "min_score", "per_document", "around", "join", "rerank")


def search_(arguments: Namespace) -> int:
    """Show the passages that fit best."""
    options = said(arguments, OPTIONS)
    chosen = without_none(documents=arguments.document, metadata=wanted_metadata(arguments.metadata) or None)
    if chosen:
        options["filter"] = chosen
    with TaskManager(retries=0) as tm:
        answer = (
            tm.search_kbs(arguments.kb, arguments.query, **options)
            if arguments.kb[1:]
            else tm.search(arguments.kb[0], arguments.query, **options)
        )
    if arguments.output == "json":
        whole = {**answer.raw, "hits": [with_fields(hit.raw, arguments) for hit in answer.hits]}
        say(json.dumps(whole, ensure_ascii=False, indent=2))
    elif not for_people(arguments):
        show([hit.raw for hit in answer.hits], ("document_id", "page", "score", "text"), arguments)
    else:
        from rich.console import Console

        from task_manager_client.command import hits

        hits.show(Console(highlight=False), answer.hits)
    if answer.degraded is not None:
        complain(f"tm: without {' and '.join(answer.degraded.without)}: {answer.degraded.detail}")
    if not answer.hits:
        kbs = " and ".join(arguments.kb)
        complain(f"tm: nothing in {kbs} fits; is the KB's name right, and are its documents completed?")
    return DONE
