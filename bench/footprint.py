"""How soon each process of the Procfile is ready, and how much memory it holds after a mixed load.

    python -m bench.footprint

Ready is: web, the first 200 of /health; worker, the end of a task that was waiting for it; clock, its line
`clock_ready`, written when its timetable runs. A start is measured in seconds of the clock on the wall and of CPU (user
and system, of all its processes), since other work on the machine lengthens the first alone. Bytecode is compiled by a
start that does not count. RSS counts memory that processes share in each of them, PSS divides it among them.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import psutil

from bench import cpu
from tests.documents.samples import docx, paragraph, pdf
from tests.guard import Guard
from tests.postgres import Postgres, postgres
from tests.processes import Deployment, Process
from tests.rabbitmq import RabbitNode, private_node
from tests.servers import eventually

#: Requests at a time, of uploads and of searches.
AT_ONCE = 4
MEGABYTE = 1_000_000

ENGLISH = (
    ("The lighthouse of {0}", "Its keeper trims lamp {0} at dusk and writes the weather into the log."),
    ("Tea from terrace {0}", "Leaves of harvest {0} are withered, rolled and dried within a day of picking."),
    ("Annual leave, rule {0}", "After {0} years of service an employee has five more days of leave."),
)
CHINESE = (
    ("第{0}号灯塔", "守塔人每天黄昏点亮第{0}盏灯，并把天气写进日志。"),
    ("第{0}片茶园", "第{0}批茶叶在采摘当天完成萎凋、揉捻和烘干。"),
    ("第{0}条年假规定", "员工工作满{0}年以后，每年增加五天带薪年假。"),
)


def mixed_documents(count: int) -> Iterator[tuple[str, bytes]]:
    """File names and contents: small documents of five formats, in English and in Chinese."""
    for number, (form, topics) in enumerate(islice(cycle(_FORMS), count)):
        heading, sentence = topics[number % len(topics)]
        sentences = [sentence.format(number + offset) for offset in range(40)]
        suffix, make = form
        yield f"{number}.{suffix}", make(heading.format(number), sentences)


def _markdown(heading: str, sentences: list[str]) -> bytes:
    return f"# {heading}\n\n{' '.join(sentences)}\n".encode()


def _gb18030(heading: str, sentences: list[str]) -> bytes:
    return "\n".join([heading, *sentences]).encode("gb18030")


def _html(heading: str, sentences: list[str]) -> bytes:
    body = "".join(f"<p>{sentence}</p>" for sentence in sentences)
    return f"<!doctype html><meta charset=utf-8><title>{heading}</title><h1>{heading}</h1>{body}".encode()


def _docx(heading: str, sentences: list[str]) -> bytes:
    return docx(paragraph(heading, "1") + "".join(map(paragraph, sentences)))


def _pdf(heading: str, sentences: list[str]) -> bytes:
    return pdf([[heading, *sentences[:20]], sentences[20:]])


_FORMS = (
    (("md", _markdown), ENGLISH),
    (("md", _markdown), CHINESE),
    (("html", _html), ENGLISH),
    (("html", _html), CHINESE),
    (("docx", _docx), ENGLISH),
    (("docx", _docx), CHINESE),
    (("pdf", _pdf), ENGLISH),
    (("txt", _gb18030), CHINESE),
)


def load(deployment: Deployment, count: int) -> None:
    """Take in `count` documents, and search as often.

    Raises:
      AssertionError: when a document was not taken in, or a search found nothing.
    """

    def take_in(document: tuple[str, bytes]) -> None:
        task = deployment.http.post("/api/v1/kbs/mixed/documents", files={"file": document}).json()["task_id"]

        def ended() -> str:
            shown = deployment.http.get(f"/api/v1/tasks/{task}?wait=20").json()
            return shown["status"] if shown["finished_at"] else ""

        assert eventually(ended, seconds=120) == "completed", document[0]

    def look_for(number: int) -> None:
        _, sentence = (*ENGLISH, *CHINESE)[number % 6]
        query = {"query": sentence.format(number), "limit": 10}
        assert deployment.http.post("/api/v1/kbs/mixed/search", json=query).json()["hits"], query

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(take_in, mixed_documents(count)))
        list(pool.map(look_for, range(count)))


def members(process: Process) -> dict[str, psutil.Process]:
    """Return a process of the Procfile and its children, by what they are for."""
    processes: dict[str, psutil.Process] = {}
    readers = 0
    for member in process.members:
        if member.pid == process.pid:
            processes[process.name] = member
        elif "documents.sandbox.child" in member.cmdline():
            readers += 1
            processes[f"{process.name} / reader {readers}"] = member
        else:
            processes[f"{process.name} / process"] = member
    return processes


def peak(process: psutil.Process) -> int:
    """Return the most bytes that a process ever had resident."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def start(deployment: Deployment, name: str, ready: Callable[[Process], bool]) -> tuple[Process, float, float]:
    """Start a process. Returns it, and its seconds until it was ready by the clock on the wall and of CPU."""
    began = time.perf_counter()
    process = deployment.start(name, wait=False)
    eventually(lambda: ready(process), seconds=60, every=0.005, reason=f"{name} is ready")
    return process, time.perf_counter() - began, cpu.seconds(psutil.Process(process.pid))


def healthy(deployment: Deployment) -> bool:
    """Whether web answers /health with 200, asked over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def starts(deployment: Deployment) -> dict[str, tuple[Process, float, float]]:
    """Start web, worker and clock one after the other; each is idle when the next one starts."""
    processes = {"web": start(deployment, "web", lambda _: healthy(deployment))}
    task = deployment.http.post("/api/v1/tasks", json={"task_type": "test"}).json()["task_id"]
    address = f"/api/v1/tasks/{task}"
    processes["worker"] = start(
        deployment, "worker", lambda _: bool(deployment.http.get(address).json()["finished_at"])
    )
    processes["clock"] = start(deployment, "clock", lambda clock: "clock_ready" in clock.log)
    return processes


Samples = dict[tuple[str, str], list[float]]


def measure(server: Postgres, node: RabbitNode, folder: Path, guard: Guard, documents: int, into: Samples) -> None:
    """One run on an empty database and an empty broker."""
    folder.mkdir()
    with (
        server.database() as url,
        node.fresh() as rabbitmq,
        Deployment(url, rabbitmq.url, folder, guard) as deployment,
    ):
        started = starts(deployment)
        for name, (_, wall, cpu) in started.items():
            into[name, "ready, s"].append(wall)
            into[name, "ready, CPU s"].append(cpu)
        if not documents:
            return
        load(deployment, documents)
        for process, _, _ in started.values():
            for name, member in members(process).items():
                memory = member.memory_full_info()
                into[name, "RSS, MB"].append(memory.rss / MEGABYTE)
                into[name, "peak RSS, MB"].append(peak(member) / MEGABYTE)
                into[name, "PSS, MB"].append(memory.pss / MEGABYTE)


@contextmanager
def servers() -> Iterator[tuple[Postgres, RabbitNode, Path, Guard]]:
    """Start a PostgreSQL and a RabbitMQ of the run's own."""
    guard = Guard()
    folder = Path(tempfile.mkdtemp(prefix="footprint-"))
    guard.remove_later(folder)
    server = postgres(folder / "postgres", guard)
    node = private_node(folder / "rabbitmq", guard)
    try:
        yield server, node, folder, guard
    finally:
        node.close()
        server.close()
        guard.close()


def show(samples: Samples) -> None:
    """Print a table of medians, each with the least and the greatest figure."""
    columns = {"ready, s": 2, "ready, CPU s": 2, "RSS, MB": 0, "peak RSS, MB": 0, "PSS, MB": 0}
    print("| " + " | ".join(["process".ljust(18), *(column.ljust(18) for column in columns)]) + " |")
    print("|" + "---|" * (1 + len(columns)))
    for name in sorted({name for name, _ in samples}):
        cells = [_cell(samples.get((name, column), []), digits) for column, digits in columns.items()]
        print("| " + " | ".join(cell.ljust(18) for cell in [name, *cells]) + " |")


def _cell(figures: list[float], digits: int) -> str:
    if not figures:
        return ""
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f}–{max(figures):.{digits}f})"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--documents", type=int, default=100, help="and as many searches")
    arguments = parser.parse_args()
    samples: Samples = defaultdict(list)
    with servers() as (server, node, folder, guard):
        measure(server, node, folder / "bytecode", guard, 0, defaultdict(list))
        busy = os.getloadavg()[0]
        for run in range(arguments.runs):
            measure(server, node, folder / f"run-{run}", guard, arguments.documents, samples)
    print(
        f"{arguments.runs} runs, each with {arguments.documents} documents and as many searches; "
        f"{os.cpu_count()} CPUs, load before {busy:.1f}, after {os.getloadavg()[0]:.1f}"
    )
    show(samples)


if __name__ == "__main__":
    main()
