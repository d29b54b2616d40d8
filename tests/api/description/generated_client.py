"""The tutorial by a client that was generated from the OpenAPI document, and what else it can do.

Run in a folder that holds the client, with the address of the service and a KB: `python generated_client.py URL KB`.
Prints what it got as JSON.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO

from service_client import Client
from service_client.api.documents import delete_document, get_document, upload_document
from service_client.api.kbs import delete_kb, get_kb
from service_client.api.search import search_kb
from service_client.api.tasks import get_task, list_tasks, submit_task
from service_client.models import (
    AcceptedTask,
    Document,
    DocumentProcessing,
    DocumentProcessingSubmission,
    DocumentProcessingTask,
    KbDeletionTask,
    Problem,
    ProcessedDocument,
    SearchAnswer,
    SearchRequest,
    TaskFailure,
    TaskPage,
    UploadForm,
)
from service_client.types import File

TEXT = "Green tea is brewed at 80 °C."


def ended(client: Client, accepted: AcceptedTask | Problem | None) -> DocumentProcessingTask | KbDeletionTask:
    """Return a task that was accepted, once it has ended."""
    assert isinstance(accepted, AcceptedTask), accepted
    while True:
        task = get_task.sync(str(accepted.task_id), client=client, wait=20)
        assert isinstance(task, (DocumentProcessingTask, KbDeletionTask)), task
        if task.finished_at is not None:
            return task


def submitted(client: Client, kb_id: str) -> DocumentProcessingTask:
    """Submit a text."""
    wanted = DocumentProcessing(content=TEXT, document_id="tea")
    submission = DocumentProcessingSubmission(task_type="document_processing", kb_id=kb_id, payload=wanted)
    task = ended(client, submit_task.sync(client=client, body=submission))
    assert isinstance(task, DocumentProcessingTask), task
    return task


def uploaded(client: Client, kb_id: str, name: str, data: bytes) -> DocumentProcessingTask:
    """Upload a file."""
    form = UploadForm(file=File(payload=BytesIO(data), file_name=name), metadata=json.dumps({"by": "Li"}))
    task = ended(client, upload_document.sync(kb_id, client=client, body=form))
    assert isinstance(task, DocumentProcessingTask), task
    return task


def searched(client: Client, kb_id: str, query: str) -> list[str]:
    """Return the texts that a search finds."""
    answer = search_kb.sync(kb_id, client=client, body=SearchRequest(query=query))
    assert isinstance(answer, SearchAnswer), answer
    return [hit.text for hit in answer.hits]


def versions(client: Client, kb_id: str) -> list[int]:
    """Upload a document twice, and return which version is shown after each."""
    shown = []
    for text in ("White tea is brewed at 70 °C.", "White tea is brewed at 75 °C."):
        task = uploaded(client, kb_id, "white.md", text.encode())
        assert isinstance(task.result, ProcessedDocument), task
        document = get_document.sync(kb_id, "white.md", client=client)
        assert isinstance(document, Document), document
        assert document.metadata.additional_properties == {"by": "Li"}
        shown.append(document.version)
    return shown


def main(url: str, kb_id: str) -> dict[str, object]:
    """Return what the service answered, read from the generated models."""
    client = Client(base_url=url)
    task = submitted(client, kb_id)
    assert isinstance(task.result, ProcessedDocument), task
    page = list_tasks.sync(client=client, kb_id=kb_id)
    assert isinstance(page, TaskPage), page
    answers: dict[str, object] = {
        "status": task.status.value,
        "chunks": task.result.chunks,
        "listed": [str(item.task_id) == str(task.task_id) for item in page.items],
        "hits": searched(client, kb_id, "green tea"),
        "versions": versions(client, kb_id),
        "newest": searched(client, kb_id, "white tea")[0],
    }
    failed = uploaded(client, kb_id, "report.pdf", b"not a PDF")
    assert isinstance(failed.error, TaskFailure), failed
    deleted = delete_document.sync_detailed(kb_id, "white.md", client=client)
    gone = get_document.sync(kb_id, "white.md", client=client)
    missing = get_task.sync("nothing", client=client)
    deletion = ended(client, delete_kb.sync(kb_id, client=client))
    nothing = get_kb.sync(kb_id, client=client)
    assert isinstance(gone, Problem), gone
    assert isinstance(missing, Problem), missing
    assert isinstance(nothing, Problem), nothing
    return answers | {
        "failed": failed.error.code,
        "deleted": deleted.status_code.value,
        "gone": gone.code,
        "missing": missing.code,
        "deletion": deletion.status.value,
        "nothing": nothing.status,
    }


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)
