"""`python -m tests.client.hour.by_rest URL FOLDER SECRET`: the hour with the client. Asserts, and prints counts."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

from task_manager_client import NotFound, TaskManager
from tests.client.hour.folder import documents, questions
from tests.client.hour.receiver import Receiver, refuses

KB = "stranger"
#: Seconds for all of the documents, and for what comes after.
PATIENCE = 300


def main(url: str, folder: Path, secret: str) -> None:
    """Take the folder in, be called back, search, delete, and look for what is left."""
    files = documents(folder)
    asked = questions(files, 10)
    receiver = Receiver(secret)
    with TaskManager(url) as tm:
        handles = {
            name: tm.documents.upload(KB, path, document_id=name, callback_url=receiver.url)
            for name, path in files.items()
        }
        tasks = {name: handle.wait(PATIENCE) for name, handle in handles.items()}
        failed = {name: task.error and task.error.code for name, task in tasks.items() if task.status != "completed"}
        # A page whose text a script writes has none.
        assert set(failed.values()) <= {"empty"}, failed
        assert receiver.hears({task.task_id for task in tasks.values()}, PATIENCE), "callbacks are missing"
        assert receiver.count("task.completed") == len(files) - len(failed)
        assert receiver.count("task.failed") == len(failed)
        assert receiver.refused == 0
        forge(receiver)

        assert {document.document_id for document in tm.documents.list(KB)} == files.keys() - failed
        assert tm.kbs.get(KB).documents == len(files) - len(failed)
        missed = [
            name
            for name, line in asked.items()
            if name not in {hit.document_id for hit in tm.search(KB, line, limit=5).hits}
        ]
        assert not missed, {name: asked[name] for name in missed}

        assert tm.kbs.delete(KB).wait(PATIENCE).status == "completed"
        assert not [line for line in asked.values() if tm.search(KB, line).hits]
        assert not list(tm.documents.list(KB))
        assert KB not in {kb.kb_id for kb in tm.kbs.list()}
        assert refuses(lambda: tm.kbs.get(KB), NotFound)
        for name in asked:
            for look in (tm.documents.get, tm.documents.text, tm.documents.original):
                assert refuses(lambda look=look, name=name: look(KB, name), NotFound), (look, name)  # type: ignore[misc]
        assert not list(tm.tasks.list(kb_id=KB, status=["waiting", "queued", "processing"]))
    print(json.dumps({"documents": len(files), "empty": len(failed), "questions": len(asked)}))


def forge(receiver: Receiver) -> None:
    """Send a callback that nobody has signed, which has to be refused."""
    request = urllib.request.Request(receiver.url, b'{"type": "task.completed"}', method="POST")
    assert refuses(lambda: urllib.request.urlopen(request), urllib.error.HTTPError)
    assert receiver.refused == 1


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
