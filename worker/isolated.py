"""The processes in which `worker.isolation` runs the stages of suspects: each may kill its own, and nobody else's."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import sys
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, NoReturn

import dramatiq

import logs
from broker.in_process import InProcessBroker
from broker.messages import Message
from broker.publisher import Unpublished
from broker.rabbitmq import CONFIRM_SECONDS, RabbitBroker
from errors import TaskError
from models import database
from processes import frames
from processes.ending import dies_with
from settings import settings
from tasks import process
from tasks.working import fence
from tasks.working.claim import Claim
from worker import boot, holding, isolation
from worker.middleware import worker_middleware
from worker.process import PROCESS
from worker.stage import carry_out


def main(control: socket.socket, parent: int) -> None:
    """Fork a process for each channel that comes, and tell through the channel how it ended."""
    if not dies_with(parent):
        return
    # The worker decides when to stop; a signal to the whole group is no crash of a task.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, signal.SIG_IGN)
    _assemble()
    process.freeze()
    control.sendall(isolation.READY)
    forked: dict[int, _Forked] = {}
    is_open = True
    while is_open or forked:
        poll = select.poll()
        if is_open:
            poll.register(control, select.POLLIN)
        for child in forked.values():
            poll.register(child.pidfd, select.POLLIN)
            poll.register(child.channel, 0)  # only whether the worker has closed it
        ready = {number for number, _ in poll.poll(None if forked else isolation.IDLE * 1000)}
        if not ready:
            return
        for child in [child for child in forked.values() if ready & {child.pidfd, child.channel.fileno()}]:
            child.end()
            del forked[child.pid]
        if is_open and control.fileno() in ready:
            _, channels, _, _ = socket.recv_fds(control, 1, 1)
            is_open = bool(channels)
            for number in channels:
                new = _Forked(socket.socket(fileno=number), [control, *(child.channel for child in forked.values())])
                forked[new.pid] = new


class _Forked:
    """A process with one suspect in it.

    Parameters:
      channel: from which it gets its claim, and to which it writes what came of it.
      others: of which it must know nothing.
    """

    def __init__(self, channel: socket.socket, others: list[socket.socket]) -> None:
        origin = os.getpid()
        self.channel = channel
        self.pid = os.fork()
        if self.pid == 0:
            _work(channel, others, origin)
        self.pidfd = os.pidfd_open(self.pid)

    def end(self) -> None:
        """Make sure that it ends, by itself or because its worker wants no answer any more, and tell how it ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        code = os.waitstatus_to_exitcode(status)
        with suppress(OSError), self.channel, self.channel.makefile("wb") as sink:
            # Behind its answer, if there was one: then nobody reads it.
            frames.write(sink, pickle.dumps(isolation.Ended(code)))


def _work(channel: socket.socket, others: list[socket.socket], origin: int) -> NoReturn:
    """Do what the claim says, and end."""
    code = 1
    try:
        for other in others:
            other.close()
        source, sink = channel.makefile("rb"), channel.makefile("wb")
        if dies_with(origin):
            frames.write(sink, isolation.READY)
            if (frame := frames.read(source)) is not None:
                identity, claim = pickle.loads(frame)  # noqa: S301 - of the worker, which is trusted
                process.adopt(identity)
                boot.connect()
                frames.write(sink, pickle.dumps(_outcome(claim)))
                PROCESS.commits.close()
                dramatiq.get_broker().close()
                code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _assemble() -> None:
    """Load what a worker needs. Nothing is connected, and no thread is started, before the fork."""
    logs.configure(settings())
    middleware = worker_middleware()
    boot.assemble(boot.broker_of(_Patient, middleware) if settings().rabbitmq_urls else _Nobody(middleware))


def _outcome(claim: Claim) -> bool | Claim | Exception:
    logs.set_about(claim.named)
    try:
        with database.transaction() as session:
            if not fence.begin(session, claim):
                raise holding.Lost
        outcome: bool | Claim | Exception = carry_out(claim)
    except Exception as error:
        outcome = error if _crosses(error) else TaskError("internal", f"{claim.stage} met a {type(error).__name__}")
    # The process ends with the answer: what it has to publish must be on its way.
    broker = dramatiq.get_broker()
    wait(broker.published if isinstance(broker, _Patient) else (), timeout=CONFIRM_SECONDS)
    return outcome


class _Patient(RabbitBroker):
    """Remembers what it is publishing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.published: list[Future[None]] = []

    def publish(self, messages: list[Message]) -> Future[None]:
        done = super().publish(messages)
        self.published.append(done)
        return done


class _Nobody(InProcessBroker):
    """In embedded mode the queues live in the parent: what a lone child would publish is left to the clock."""

    def publish(self, messages: list[Message]) -> Future[None]:  # noqa: ARG002 - as every broker is called
        done: Future[None] = Future()
        done.set_exception(Unpublished("the queues are in the parent process"))
        return done


def _crosses(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - of this line
    except Exception:
        return False
    return True


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
