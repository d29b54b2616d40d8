"""Documents as they came are kept for as long as a version holds them, and nothing of them is left behind."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

import clock
from documents.files import originals
from documents.files.storage import storage
from documents.storing import deletions
from models import Original, database
from models.base import new_id
from pipeline import STAGES
from settings import settings
from tasks.transactions.unit import unit_of_work
from tests.actors.conftest import TEXT, Bench


@pytest.fixture(params=["table", "pages of the table", "folder"])
def keeping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if request.param == "pages of the table":
        monkeypatch.setattr(originals, "PAGE", 10)
    if request.param == "folder":
        monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}/kept")
    settings.cache_clear()


def kept(task_id: UUID) -> bytes:
    return storage(settings(), kind=Original).read(task_id, 0)


def sweep(bench: Bench) -> None:
    """What the clock does an hour later."""
    bench.sql("UPDATE orphans SET due_at = now()")
    for duty in (clock.sweep_versions, clock.sweep_originals):
        with unit_of_work() as unit:
            duty(unit)


def noted(bench: Bench) -> int:
    ((count,),) = bench.sql("SELECT count(*) FROM orphans WHERE due_at <= now()")
    return int(count)


@pytest.mark.usefixtures("keeping")
def test_an_original_lives_as_long_as_its_version(bench: Bench) -> None:
    first, second = (bench.take_in(TEXT + end, chunk_size=150) for end in ("One.", "Two."))
    bench.finish_twice(first, "preprocessing")
    for stage in STAGES[1:]:
        bench.finish(first, stage)
    assert kept(first) == (TEXT + "One.").encode()
    sweep(bench)
    assert (kept(first) != b"", noted(bench)) == (True, 0)
    bench.finish_all(second)
    sweep(bench)
    assert (kept(first), kept(second)) == (b"", (TEXT + "Two.").encode())
    with database.write() as session:
        deletions.remove(session, "kb", "d")
    sweep(bench)
    assert (kept(second), noted(bench)) == (b"", 0)


@pytest.mark.usefixtures("keeping")
def test_what_no_version_came_of_goes_when_its_task_is_over(bench: Bench, tmp_path: Path) -> None:
    task_id, gone = bench.take_in(), new_id()
    path = tmp_path / "document"
    path.write_bytes(b"bytes")
    for owner_id in (task_id, gone):
        originals.keep(path, settings(), owner_id, database.write)
    sweep(bench)
    assert (kept(task_id), kept(gone)) == (b"bytes", b""), "the one of a task that is open is kept"
    assert noted(bench) == 0, "and looked at again later"


@pytest.mark.usefixtures("keeping")
def test_a_twin_of_a_version_holds_its_original_too(bench: Bench) -> None:
    task_id, twin = bench.take_in(), new_id()
    bench.finish_all(task_id)
    ((columns,),) = bench.sql(
        "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
        " WHERE table_name = 'versions' AND column_name NOT IN ('id', 'origin')"
    )
    values = {"twin": twin, "id": task_id}
    bench.sql(
        f"INSERT INTO versions (id, origin, {columns}) SELECT :twin, id, {columns} FROM versions WHERE id = :id",
        **values,
    )
    bench.sql("UPDATE documents SET version_id = :twin WHERE version_id = :id", **values)
    for _ in range(2):
        sweep(bench)
    assert bench.sql("SELECT id FROM versions") == [(twin,)]
    assert kept(task_id) == TEXT.encode()


@pytest.mark.usefixtures("keeping")
def test_a_deleted_kb_has_none_left_when_its_task_has_completed(bench: Bench) -> None:
    first, second, made = bench.take_in(), bench.take_in(TEXT + "Two."), bench.take_in(document_id="made")
    for task_id in (first, second):
        bench.finish_all(task_id)
    bench.finish_all(made, until="storing")
    deletion = bench.submit(task_type="kb_deletion", kb_id="kb")[0]
    other = bench.take_in(document_id="other")
    bench.finish_all(other)
    bench.finish(deletion, "kb_deletion")
    assert [kept(task_id) for task_id in (first, second, made)] == [b"", b"", b""]
    assert bench.sql("SELECT id FROM orphans WHERE id <> :id", id=other) == []
    assert kept(other) == TEXT.encode(), "it was submitted afterwards"


def test_nothing_is_kept_where_that_is_not_wanted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEP_ORIGINALS", "false")
    settings.cache_clear()
    bench.finish_all(bench.take_in())
    assert bench.sql("SELECT original FROM versions") == [(None,)]
    assert bench.sql("SELECT count(*) FROM originals") == [(0,)]
