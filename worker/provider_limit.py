"""How fast all workers together may use an embedding provider."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from documents.embedding import is_own
from errors import TaskError
from models import database, rate_limit
from settings import Settings
from tasks.working.failing import LONGEST_PATIENCE
from worker.stage import Work

#: Seconds of rest after which no more may be used at once: small, since providers count by the minute.
BURST = 5.0
#: Seconds between two looks at whether the work is still wanted.
LOOK_EVERY = 0.5


class ProviderLimit:
    """EMBED_REQUESTS_PER_MINUTE and EMBED_TOKENS_PER_MINUTE, and what the provider itself asks for.

    Parameters:
      name: the embedder's; its first part is the provider, which the limits are for.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        provider = name.partition(":")[0]
        self._requests, self._tokens = f"{provider} requests", f"{provider} tokens"
        # What one costs: the seconds until it has grown again.
        self._free = is_own(provider)
        self._request_cost = 60 / settings.embed_requests_per_minute if settings.embed_requests_per_minute else 0.0
        self._token_cost = 60 / settings.embed_tokens_per_minute if settings.embed_tokens_per_minute else 0.0

    def wait(self, work: Work) -> None:
        """Wait until a request may be made, and count it.

        Raises:
          Lost, HandBack, TaskError: as `Work.check` does.
        """
        while not self._free and (seconds := self._admit()):
            time.sleep(min(seconds, LOOK_EVERY))
            work.check()

    def spend(self, session: Session, tokens: int) -> None:
        """Charge the tokens that a request has used, in the transaction that keeps its vectors."""
        if self._token_cost and not self._free:
            rate_limit.spend(session, self._tokens, tokens * self._token_cost, BURST)

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Slow every worker down when the provider says that it is too fast."""
        try:
            yield
        except TaskError as error:
            if error.code == "rate_limited" and error.retry_after:
                with database.transaction() as session:
                    rate_limit.hold(session, self._requests, min(error.retry_after, LONGEST_PATIENCE))
            raise

    def _admit(self) -> float:
        with database.transaction() as session:
            owed = rate_limit.spend(session, self._tokens, 0.0, BURST) if self._token_cost else 0.0
            return owed or rate_limit.admit(session, self._requests, self._request_cost, BURST)
