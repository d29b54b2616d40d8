"""How much of the time the model of `e5` is busy while documents are taken in: nothing else should hold it up.

    python -m bench.model --documents 1000

The documents are those of `bench.ingest`, uploaded to a service in embedded mode. The model is busy at an instant when
one of its process's threads runs or could run. EMBEDDING_MODEL_PATH names its folder where it was made before.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil

from bench import cpu
from bench.pipeline import UPLOADS_AT_ONCE, Document, mixture
from demo.service import EmbeddedService

ROOT = Path(__file__).resolve().parent.parent
KB = "mixed"
#: Seconds between two looks at the model.
EVERY = 0.02
UNFINISHED = ("waiting", "queued", "processing")


class Watch(threading.Thread):
    """Looks at a process until `stop`."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._tasks = Path(f"/proc/{process.pid}/task")
        self._stopped = threading.Event()
        self.looks = self.busy = 0

    def run(self) -> None:
        """Count the looks, and those at which the process was busy."""
        while not self._stopped.wait(EVERY):
            self.looks += 1
            self.busy += any(_runs(task) for task in self._tasks.iterdir())

    def stop(self) -> float:
        """End it. Returns the share of the looks at which the process was busy."""
        self._stopped.set()
        self.join()
        return self.busy / max(1, self.looks)


def _runs(task: Path) -> bool:
    try:
        # The state follows the name, which stands in brackets and may hold anything.
        return (task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    except OSError:
        return False  # the thread has ended


def model() -> psutil.Process:
    """Return the process of this folder's model."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if "documents.embedding.model.process" in (process.info["cmdline"] or ()) and process.info["cwd"] == str(ROOT):
            return process
    raise AssertionError("the model does not run")


def take_in(url: str, documents: list[Document]) -> int:
    """Upload documents, and wait until all are searchable. Returns how many chunks they have."""
    with httpx2.Client(base_url=f"{url}/api/v1", timeout=60) as http, ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:

        def upload(document: Document) -> str:
            answer = http.post(f"/kbs/{KB}/documents", files={"file": document})
            assert answer.is_success, answer.text
            return str(answer.json()["task_id"])

        chunks = 0
        for task_id in list(pool.map(upload, documents)):
            while (task := http.get(f"/tasks/{task_id}", params={"wait": "20"}).json())["status"] in UNFINISHED:
                pass
            assert task["status"] == "completed", task
            chunks += task["result"]["chunks"]
    return chunks


def main() -> None:
    """Take in documents, and print what the model did meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=1000)
    arguments = parser.parse_args()
    warm, documents = mixture(arguments.documents)
    load_before = os.getloadavg()[0]
    settings = {name: value for name, value in os.environ.items() if name.startswith("EMBEDDING_")}
    with EmbeddedService({**settings, "EMBEDDER": "e5"}) as service:
        take_in(service.url, warm)
        process = model()
        watch = Watch(process)
        began, before = time.perf_counter(), cpu.seconds(process)
        watch.start()
        chunks = take_in(service.url, documents)
        seconds, used = time.perf_counter() - began, cpu.seconds(process) - before
        busy = watch.stop()
    print(f"{os.cpu_count()} CPUs, load {load_before:.1f} before")
    print(f"{len(documents)} documents, {chunks} chunks in {seconds:.0f} s: {chunks / seconds:.1f} chunks/s")
    print(
        f"the model was busy {busy:.1%} of the time; it used {used:.0f} s of CPU, {1000 * used / chunks:.0f} ms a chunk"
    )


if __name__ == "__main__":
    main()
