"""The process in which `actors.alone` runs the stages of suspects: one of them may kill it, and nobody else."""

from __future__ import annotations

import ctypes
import os
import pickle
import select
import signal
import sys
from concurrent.futures import Future, wait
from typing import Any

import dramatiq
from dramatiq import Message

import logs
from actors import alone, worker
from actors.ledger import LEDGER
from actors.middleware import worker_middleware
from actors.stage import carry_out
from broker.in_process import InProcessBroker
from broker.publisher import Unpublished
from broker.rabbitmq import CONFIRM_SECONDS, RabbitBroker
from errors import TaskError
from settings import settings
from tasks.claim import Claim
from tasks.process import adopt

PR_SET_PDEATHSIG = 1


def main(pipe: int, parent: int) -> None:
    """Take claims from stdin, work under the parent's name, and write what came of each to the pipe."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        return
    # The parent decides when to stop; a signal to the whole group is no crash of a task.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    _assemble()
    with os.fdopen(pipe, "wb") as answers:
        while select.select([sys.stdin.buffer], [], [], alone.IDLE)[0]:
            try:
                identity, claim = pickle.load(sys.stdin.buffer)
            except EOFError:
                break
            adopt(identity)
            answers.write(pickle.dumps(_outcome(claim)))
            answers.flush()
    LEDGER.close()
    dramatiq.get_broker().close()


def _assemble() -> None:
    logs.configure(settings())
    worker.connect()
    urls = settings().rabbitmq_urls
    middleware = worker_middleware()
    worker.assemble(_Patient(urls, settings().queue_type, middleware) if urls else _Nobody(middleware))


def _outcome(claim: Claim) -> bool | Claim | Exception:
    try:
        outcome: bool | Claim | Exception = carry_out(claim)
    except Exception as error:
        outcome = error if _crosses(error) else TaskError("internal", f"{claim.stage} met a {type(error).__name__}")
    # The next claim may kill this process: what this one has to publish must be on its way.
    wait(_published, timeout=CONFIRM_SECONDS)
    _published.clear()
    return outcome


_published: list[Future[None]] = []


class _Patient(RabbitBroker):
    """Remembers what it is publishing."""

    def publish(self, messages: list[Message[Any]]) -> Future[None]:
        done = super().publish(messages)
        _published.append(done)
        return done


class _Nobody(InProcessBroker):
    """In embedded mode the queues live in the parent: what a lone child would publish is left to the clock."""

    def publish(self, messages: list[Message[Any]]) -> Future[None]:
        done: Future[None] = Future()
        done.set_exception(Unpublished("the queues are in the parent process"))
        return done


def _crosses(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
