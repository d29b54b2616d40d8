"""`python -m tests.client.hour.by_grpc TARGET FOLDER SECRET`: the hour with a client that is made by reflection.

Asserts, and prints counts. Of ours there is only what verifies callbacks.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.client.hour.folder import documents, questions
from tests.client.hour.receiver import Receiver
from tests.client.hour.reflected import Reflected, Said

KB = "stranger-grpc"
#: Seconds for all of the documents, and for what comes after.
PATIENCE = 300


def main(target: str, folder: Path, secret: str) -> None:
    """Take the folder in, be told of each end, search, delete, and look for what is left."""
    files = documents(folder)
    asked = questions(files, 10)
    receiver = Receiver(secret)
    tm = Reflected(target, PATIENCE)
    events = tm.stream("Watch")
    submitted = {name: upload(tm, name, path, receiver.url)["task_id"] for name, path in files.items()}
    ends = followed(events, set(submitted.values()))
    failed = {task_id for task_id, end in ends.items() if end == "task.failed"}
    # A page whose text a script writes has none.
    assert {tm.call("Get", task_id=task_id)["task"]["error"]["code"] for task_id in failed} <= {"empty"}
    assert receiver.hears(ends.keys(), PATIENCE), "callbacks are missing"
    assert receiver.count("task.completed") == len(files) - len(failed)
    assert receiver.count("task.failed") == len(failed)
    assert receiver.refused == 0
    listed = tm.call("List", kb_id=KB, status=["completed"], count=True)
    assert listed["total"]["count"] == len(files) - len(failed)

    missed = [name for name, line in asked.items() if name not in find(tm, line)]
    assert not missed, {name: asked[name] for name in missed}

    deletion = tm.call("DeleteKb", kb_id=KB)["task_id"]
    while tm.call("Get", task_id=deletion, wait=20)["task"]["status"] != "completed":
        pass
    assert not [line for line in asked.values() if find(tm, line)]
    assert "items" not in tm.call("List", kb_id=KB, status=["waiting", "queued", "processing"])
    tm.close()
    print(json.dumps({"documents": len(files), "empty": len(failed), "questions": len(asked)}))


def followed(events: Iterator[Said], unfinished: set[str]) -> dict[str, str]:
    """Follow tasks until each has ended, and return with what event it did."""
    ends: dict[str, str] = {}
    while unfinished - ends.keys():
        event = next(events)["event"]
        if event["type"] in ("task.completed", "task.failed", "task.cancelled"):
            ends[event["task_id"]] = event["type"]
    return ends


def upload(tm: Reflected, name: str, path: Path, callback_url: str) -> Said:
    """Upload a file in two messages, and return what is answered."""
    info = {"kb_id": KB, "document_id": name, "filename": path.name, "callback_url": callback_url}
    data = base64.b64encode(path.read_bytes()).decode()
    return tm.send("UploadDocument", {"info": info}, {"data": data})


def find(tm: Reflected, query: str) -> set[str]:
    """The ids of the documents that answer a query best."""
    return {hit["document_id"] for hit in tm.call("Search", kbs=[KB], query=query, limit=5).get("hits", [])}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
