"""What only reads goes to a replica, and nobody gets what is older than the request: else the primary is read."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from models import database, replica
from models.database import transaction
from tests.guard import Guard
from tests.pair import Pair
from tests.servers import eventually

_TCP = (socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)

COUNT = text("SELECT count(*) AS count, pg_is_in_recovery() AS at_replica FROM notes")


@pytest.fixture(scope="module")
def _servers(guard: Guard) -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    guard.remove_later(folder)
    pair = Pair(folder, guard)
    pair.primary.sql("CREATE TABLE notes (number integer)")
    yield pair
    pair.close()


@pytest.fixture
def pair(_servers: Pair) -> Iterator[Pair]:
    """A primary and a replica that is used."""
    database.connect(_servers.url, pool_size=3, application_name="tests")
    replica.connect(_servers.standby.url, pool_size=3, application_name="tests")
    eventually(lambda: replica.state() == "up", seconds=30, reason="the replica is used")
    yield _servers
    replica.disconnect()
    database.disconnect()


def count(session: Session) -> tuple[int, bool]:
    """How many notes there are, and whether a standby says so."""
    number, at_replica = session.execute(COUNT).one()
    return number, at_replica


def write_one() -> int:
    """Write a note. Returns how many there are."""
    with transaction() as session:
        session.execute(text("INSERT INTO notes VALUES (1)"))
        return count(session)[0]


def test_without_a_replica_the_primary_is_read(pair: Pair) -> None:
    replica.connect(None, pool_size=3, application_name="tests")
    assert replica.state() is None
    assert replica.read(count)[1] is False


@pytest.mark.parametrize("repeatable", [False, True])
def test_what_was_committed_is_read_from_the_replica_at_once(pair: Pair, repeatable: bool) -> None:
    asked = 50
    answers = [(write_one(), *replica.read(count, repeatable=repeatable)) for _ in range(asked)]
    assert [written for written, _, _ in answers] == [read for _, read, _ in answers], "nothing older than the request"
    # A machine that is busy may take its time, and the primary then answers.
    assert sum(at_replica for *_, at_replica in answers) > asked / 2


def test_a_replica_that_lags_is_left_until_it_has_caught_up(pair: Pair) -> None:
    pair.standby.sql("SELECT pg_wal_replay_pause()")
    try:
        written = write_one()
        assert replica.read(count) == (written, False)
        assert replica.state() == "behind"
    finally:
        pair.standby.sql("SELECT pg_wal_replay_resume()")
    eventually(lambda: replica.read(count) == (written, True), seconds=30, reason="the replica is used again")


def test_a_replica_that_is_away_costs_no_reader_anything(pair: Pair) -> None:
    pair.standby.kill()
    try:
        assert [replica.read(count)[1] for _ in range(5)] == [False] * 5
        assert replica.state() == "down"
    finally:
        pair.standby.start()
    eventually(lambda: replica.read(count)[1], seconds=30, reason="the replica is used again")


def test_a_replica_whose_machine_vanishes_is_given_up_long_before_the_primary_would_be(pair: Pair) -> None:
    def seconds(session: Session) -> tuple[float, float]:
        """Until the kernel gives the connection up, where something was sent, and where nothing was."""
        driver: Any = session.connection().connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as opened:
            user, idle, interval, count = (opened.getsockopt(socket.IPPROTO_TCP, option) for option in _TCP)
        return user / 1000, idle + interval * count

    assert max(replica.read(seconds)) <= 4
    with transaction() as session:
        assert min(seconds(session)) >= 25


@pytest.mark.parametrize("code", ["40001", "25006"])
def test_what_the_replica_cannot_do_is_done_by_the_primary(pair: Pair, code: str) -> None:
    cannot = f"DO $$ BEGIN IF pg_is_in_recovery() THEN RAISE 'no' USING ERRCODE = '{code}'; END IF; END $$"

    def ask(session: Session) -> bool:
        session.execute(text(cannot))
        return count(session)[1]

    assert replica.read(ask) is False
    assert replica.read(count)[1] is True, "and the replica goes on answering others"


def test_what_is_wrong_itself_is_not_asked_twice(pair: Pair) -> None:
    asked = []

    def ask(session: Session) -> None:
        asked.append(session)
        session.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError, match="division by zero"):
        replica.read(ask)
    assert len(asked) == 1
    assert replica.state() == "up"


def test_a_primary_that_admits_nobody_more_is_not_taken_for_one_that_is_away(pair: Pair) -> None:
    pair.primary.sql("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    database.connect(pair.url.replace("postgres@", "crowded@"), pool_size=3, application_name="tests")
    with pytest.raises(OperationalError, match="too many connections"):
        replica.read(count)


def test_while_the_primary_is_away_no_reader_gets_what_is_older_than_what_it_last_had(pair: Pair) -> None:
    assert replica._replica is not None
    pair.standby.sql("SELECT pg_wal_replay_pause()")
    try:
        written = write_one()
        assert replica.read(count) == (written, False)
        pair.primary.kill()
        assert not replica._replica._can_be_used()
        pair.standby.sql("SELECT pg_wal_replay_resume()")
        eventually(lambda: replica.read(count) == (written, True), seconds=30, reason="it has caught up")
    finally:
        pair.primary.start()


def test_while_the_primary_is_away_the_replica_goes_on_and_once_promoted_is_none(pair: Pair) -> None:
    written = write_one()
    pair.primary.kill()
    assert replica.read(count) == (written, True)
    pair.primary, pair.standby = pair.standby, pair.primary
    pair.primary.promote()
    eventually(lambda: replica.read(count) == (written, False), seconds=30, reason="the new primary is read")
    assert write_one() == written + 1
    assert replica.read(count) == (written + 1, False)
    eventually(lambda: replica.state() == "down", reason="it is told that this is none")
