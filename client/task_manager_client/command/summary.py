"""What is said when all documents have ended: what is to be known of each, and the failures by their codes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from task_manager_client.command.complaints import complain, reads_chinese
from task_manager_client.command.submitting import Document

#: Documents of one code that are named; the others are counted.
MOST_NAMED = 20


def report(documents: Sequence[Document], *, followed: bool) -> None:
    """Say on standard error what bars and lines have no room for. `followed`: their ends were waited for."""
    for document in documents:
        if document.refusal is not None:
            complain(f"{document.name}: {document.refusal}")
        elif followed and document.task_id is None:
            complain(f"{document.name}: was not uploaded")
        elif followed and not document.ended:
            where = f"{document.state}, {int(document.percent)} %"
            complain(f"{document.name}: not finished yet ({where}); the service goes on with task {document.task_id}")
        for warning in ((document.task.result if document.task else None) or {}).get("warnings", ()):
            complain(f"{document.name}: {warning}")
    for code, failed in _by_code(documents).items():
        _tell(code, failed)
    if followed and len(documents) > 1:
        complain(_whole(documents))


def _by_code(documents: Sequence[Document]) -> dict[str, list[Document]]:
    groups: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        if document.task is not None and document.task.error is not None:
            groups[document.task.error.code].append(document)
    return dict(sorted(groups.items(), key=lambda pair: -len(pair[1])))


def _tell(code: str, failed: Sequence[Document]) -> None:
    """Say what failed with a code, and once what to do about it."""
    for document in failed[:MOST_NAMED]:
        error = document.task.error if document.task else None
        assert error is not None
        complain(f"{document.name}: {code} in {error.stage}: {error.message}")
    if len(failed) > MOST_NAMED:
        complain(f"… and {len(failed) - MOST_NAMED} more: {code}")
    error = failed[0].task.error if failed[0].task else None
    assert error is not None
    complain(f"  {error.hint_zh if reads_chinese() else error.hint}")


def _whole(documents: Sequence[Document]) -> str:
    done = [document for document in documents if document.completed]
    chunks = sum(int((document.task.result or {}).get("chunks") or 0) for document in done if document.task)
    said = [f"{len(done)} of {len(documents)} completed", f"{chunks:,} chunks"]
    if failed := sum(document.ended and not document.completed for document in documents):
        said.insert(1, f"{failed} failed")
    return ", ".join(said)
