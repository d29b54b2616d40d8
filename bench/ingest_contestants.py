"""Who takes in documents for `make bench-ingest`: the service, embedded mode, and scripts of other frameworks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import psycopg2

from bench import cpu, pipeline
from bench.contestants import OURS, running
from bench.cpu import Groups
from bench.pipeline import Document
from bench.servers import Servers, postmaster
from tests.processes import ROOT, EmbeddedDeployment

OWN = Path(sys.executable)
#: The frameworks have an environment of their own.
FRAMEWORKS = ROOT / ".venv" / "ingest" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What taking in documents took.

    cpu: seconds, by group of processes.
    documents, chunks: how many are searchable, those to warm up with included.
    """

    seconds: float
    cpu: dict[str, float]
    documents: int
    chunks: int


#: Is given servers, a folder of its own, the documents to warm up with and those that are measured.
TakeIn = Callable[[Servers, Path, list[Document], list[Document]], Ingestion]


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes in documents."""

    name: str
    settings: str
    take_in: TakeIn


def service(servers: Servers, folder: Path, warm: list[Document], documents: list[Document]) -> Ingestion:
    """Upload to web, worker and clock."""
    with running(OURS, servers, folder) as ours:
        seconds, used = pipeline.service(ours, warm, documents)
        own = sum(cost for group, cost in used.items() if group in ours.own)
        servers_only = {group: cost for group, cost in used.items() if group not in ours.own}
        return Ingestion(seconds, {"own": own, **servers_only}, *_searchable(ours.ask))


def embedded(servers: Servers, folder: Path, warm: list[Document], documents: list[Document]) -> Ingestion:
    """Upload to embedded mode, which has its own PostgreSQL and no RabbitMQ."""
    folder.mkdir()
    with EmbeddedDeployment(folder, servers.guard) as deployment:
        process = deployment.start_embedded()
        data = folder / "data" / "postgres"
        groups = {"own": [psutil.Process(process.pid)], "PostgreSQL": [postmaster(data)]}
        socket = (data / "postmaster.pid").read_text().splitlines()[4]
        with closing(psycopg2.connect(host=socket, user="postgres", dbname="postgres")) as connection:
            connection.autocommit = True

            def ask(statement: str) -> tuple[int, ...]:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                    return cursor.fetchone() or ()

            pipeline.take_in(deployment.url, ask, warm)
            began, before = time.perf_counter(), cpu.by_group(groups)
            pipeline.take_in(deployment.url, ask, documents)
            seconds, used = time.perf_counter() - began, cpu.spent(groups, before)
            return Ingestion(seconds, used, *_searchable(ask))


def _searchable(ask: Callable[[str], Sequence[float]]) -> tuple[int, int]:
    """How many documents and chunks the service can find."""
    statement = "SELECT count(DISTINCT document_id), count(*) FROM documents JOIN chunks USING (version_id)"
    documents, chunks = ask(statement)
    return int(documents), int(chunks)


def script(python: Path, module: str, how: str, stored: str) -> TakeIn:
    """Return what `bench/peers/ingest_….py` does in a process of its own.

    Parameters:
      module: how the file's name ends.
      how: `one` file after the other, or `many` at once.
      stored: SQL that counts documents and chunks.
    """

    def take_in(servers: Servers, folder: Path, warm: list[Document], documents: list[Document]) -> Ingestion:
        for part, some in (("warm", warm), ("documents", documents)):
            (folder / part).mkdir(parents=True)
            for name, content in some:
                (folder / part / name).write_bytes(content)
        command = [str(python), "-m", "bench.peers.ingest", module, how, str(folder)]
        with servers.postgres.database(migrated=False) as url, (folder / "log").open("w+") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(url),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
            servers.guard.watch(process.pid)
            try:
                groups = {"own": [psutil.Process(process.pid)], "PostgreSQL": servers.processes["PostgreSQL"]}
                seconds, used = _told(process, groups, log)
                with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
                    cursor.execute(stored)
                    return Ingestion(seconds, used, *(cursor.fetchone() or (0, 0)))
            finally:
                process.kill()
                process.communicate()
                servers.guard.forget(process.pid)

    return take_in


def _environment(url: str) -> dict[str, str]:
    """Of a script: it finds the embedder, and asks nobody outside."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": url,
        "HAYSTACK_TELEMETRY_ENABLED": "false",
        "LANGSMITH_TRACING": "false",
    }


def _told(process: subprocess.Popen[str], groups: Groups, log: IO[str]) -> tuple[float, dict[str, float]]:
    """Let a script begin when it is warm. Returns the seconds that it takes, on the wall and of CPU.

    Raises:
      RuntimeError: when it ended too soon; with the end of its log.
    """
    assert process.stdin
    assert process.stdout

    def expect(word: str) -> None:
        assert process.stdout
        said = process.stdout.readline().strip()
        if said != word:
            log.seek(0)
            raise RuntimeError(f"the script said {said!r} instead of {word!r}: {log.read()[-300:]}")

    expect("ready")
    began, before = time.perf_counter(), cpu.by_group(groups)
    print(file=process.stdin, flush=True)
    expect("done")
    return time.perf_counter() - began, cpu.spent(groups, before)


SERVICE = Contestant("this service", OURS.settings, service)
EMBEDDED = Contestant("this service, embedded", "`python -m embedded` with default settings", embedded)
ONE, MANY = "one at a time", "all at once"
#: The script's name, its Python, its module, what counts its documents and chunks, and what is worth knowing.
SCRIPTS = (
    (
        *("no framework", OWN, "plain"),
        "SELECT count(DISTINCT file), count(*) FROM chunks",
        "the service's reader, chunker and embedder in a loop, and a COPY of the chunks: the work by itself",
    ),
    (
        *("LangChain", FRAMEWORKS, "langchain"),
        "SELECT count(DISTINCT cmetadata->>'source'), count(*) FROM langchain_pg_embedding",
        "PyPDFLoader, Docx2txtLoader, BSHTMLLoader, TextLoader, RecursiveCharacterTextSplitter, PGVector; all at once: "
        "500 chunks a statement",
    ),
    (
        *("LlamaIndex", FRAMEWORKS, "llamaindex"),
        "SELECT count(DISTINCT metadata_->>'file_name'), count(*) FROM data_mixed",
        "SimpleDirectoryReader, which leaves HTML its tags, IngestionPipeline with SentenceSplitter, PGVectorStore; "
        "several workers are slower, since each is a new process that imports it all",
    ),
    (
        *("Haystack", FRAMEWORKS, "haystack"),
        "SELECT count(DISTINCT meta->>'file_path'), count(*) FROM mixed",
        "FileTypeRouter, a converter for each type, RecursiveDocumentSplitter, PgvectorDocumentStore",
    ),
)
CONTESTANTS = (
    SERVICE,
    EMBEDDED,
    *(
        Contestant(f"{name}, {what}", settings, script(python, module, how, stored))
        for name, python, module, stored, settings in SCRIPTS
        for how, what in (("one", ONE), ("many", MANY))
    ),
)
