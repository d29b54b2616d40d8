"""What became of a COMMIT whose answer was lost: each transaction that writes leaves a mark, and can be asked about.

A connection may be lost after a COMMIT was sent: by a failover, a restart, or a pooler. The mark is a row that the
transaction itself writes, so it is there exactly when all else of it is: also on a standby that takes over, where
transaction numbers may be used a second time, and behind a pooler.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Boolean, DateTime, Engine, func, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.connection import AnswerLost

log = structlog.get_logger(__name__)

#: Marks of connections that have written nothing for so long are deleted; each lives for half an hour.
KEPT = timedelta(days=1)


class Commit(Base):
    """The last transaction that a connection has committed."""

    __tablename__ = "commits"
    # One row is written again and again: room on its page spares the index.
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    writer: Mapped[UUID] = mapped_column(primary_key=True)
    """The connection, by an id of its own."""
    number: Mapped[int] = mapped_column(BigInteger)
    closed: Mapped[bool] = mapped_column(Boolean, server_default="false")
    """Whether somebody has asked: a COMMIT that arrives later fails."""
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


def is_committed(engine: Engine, lost: AnswerLost) -> bool:
    """Return whether a transaction was committed, the answer to whose COMMIT was lost. If not, it never will be.

    Waits where it is just being committed.

    Raises:
      DBAPIError: it cannot be asked now.
    """
    with engine.begin() as connection:
        number: int = connection.execute(_ASK, {"writer": lost.writer}).scalar_one()
    committed = number >= lost.number
    log.info("commit_without_answer", committed=committed)
    return committed


def forget(session: Session) -> int:
    """Delete the marks of connections that are gone. Returns how many."""
    return int(session.execute(_FORGET, {"kept": KEPT}).rowcount)  # type: ignore[attr-defined]


#: Writes in any case: so it waits for a transaction that is writing its mark, and one that comes later finds it.
_ASK = text(
    """
    INSERT INTO commits (writer, number, closed) VALUES (:writer, 0, true)
    ON CONFLICT (writer) DO UPDATE SET closed = true
    RETURNING number
    """
)

_FORGET = text("DELETE FROM commits WHERE written_at < now() - CAST(:kept AS interval)")
