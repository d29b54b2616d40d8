"""The process in which `actors.alone` runs one stage of a suspect: the task may kill it, and nobody else."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from concurrent.futures import Future
from typing import Any

import dramatiq
from dramatiq import Message

import logs
from actors import worker
from actors.ledger import LEDGER
from actors.middleware import worker_middleware
from actors.stage import carry_out
from broker.in_process import InProcessBroker
from broker.publisher import Unpublished
from broker.rabbitmq import RabbitBroker
from errors import TaskError
from settings import settings
from tasks.process import adopt
from tasks.work import Claim

PR_SET_PDEATHSIG = 1


def main(pipe: int, parent: int) -> None:
    """Take a claim from stdin, work under the parent's name, and write what came of it to the pipe."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        return
    identity, claim = pickle.load(sys.stdin.buffer)
    adopt(identity)
    outcome: Any
    try:
        outcome = _carry_out(claim)
    except Exception as error:
        outcome = error if _crosses(error) else TaskError("internal", f"{claim.stage} met a {type(error).__name__}")
    with os.fdopen(pipe, "wb") as answers:
        answers.write(pickle.dumps(outcome))


def _carry_out(claim: Claim) -> bool | Claim:
    logs.configure(settings())
    worker.connect()
    urls = settings().rabbitmq_urls
    middleware = worker_middleware()
    worker.assemble(RabbitBroker(urls, settings().queue_type, middleware) if urls else _Nobody(middleware))
    own = carry_out(claim)
    LEDGER.close()
    dramatiq.get_broker().close()
    return own


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
