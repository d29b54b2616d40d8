"""Uses a client that was generated from the OpenAPI document: submits, waits, lists and searches.

Run in a folder that holds the client, with the address of the service and a KB: `python generated_client.py URL KB`.
Prints what it got as JSON.
"""

from __future__ import annotations

import json
import sys

from service_client import Client
from service_client.api.search import search_kb
from service_client.api.tasks import get_task, list_tasks, submit_task
from service_client.models import (
    AcceptedTask,
    DocumentProcessing,
    DocumentProcessingSubmission,
    DocumentProcessingTask,
    Problem,
    ProcessedDocument,
    SearchAnswer,
    SearchRequest,
    TaskPage,
)

TEXT = "Green tea is brewed at 80 °C."


def main(url: str, kb_id: str) -> dict[str, object]:
    """Return what the service answered, read from the generated models."""
    client = Client(base_url=url)
    wanted = DocumentProcessing(content=TEXT, document_id="tea")
    submission = DocumentProcessingSubmission(task_type="document_processing", kb_id=kb_id, payload=wanted)
    accepted = submit_task.sync(client=client, body=submission)
    assert isinstance(accepted, AcceptedTask), accepted
    task = get_task.sync(str(accepted.task_id), client=client, wait=20)
    while isinstance(task, DocumentProcessingTask) and task.finished_at is None:
        task = get_task.sync(str(accepted.task_id), client=client, wait=20)
    assert isinstance(task, DocumentProcessingTask), task
    assert isinstance(task.result, ProcessedDocument), task
    page = list_tasks.sync(client=client, kb_id=kb_id)
    assert isinstance(page, TaskPage), page
    found = search_kb.sync(kb_id, client=client, body=SearchRequest(query="green tea"))
    assert isinstance(found, SearchAnswer), found
    missing = get_task.sync("nothing", client=client)
    assert isinstance(missing, Problem), missing
    return {
        "status": task.status.value,
        "chunks": task.result.chunks,
        "listed": [str(each.task_id) == str(task.task_id) for each in page.items],
        "hits": [hit.text for hit in found.hits],
        "missing": missing.code,
    }


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)
