"""Uploads in pages of PostgreSQL and in a folder: what was written to its end is kept, and nothing else."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from documents.files.storage import PAGE, Storage, storage
from errors import TaskError
from models import database as models_database
from models.base import new_id
from settings import read

LARGEST = 4 * PAGE


@pytest.fixture(params=["table", "folder", "fsspec"])
def kept(request: pytest.FixtureRequest, database: Engine, tmp_path: Path) -> Storage:
    """Each kind of storage."""
    folder = tmp_path / "uploads"
    url = {"table": "", "folder": str(folder), "fsspec": folder.as_uri()}[request.param]
    return storage(read({"STORAGE_URL": url}))


def store(kept: Storage, *parts: bytes) -> UUID:
    """Upload these parts, one after the other."""
    upload_id = new_id()
    upload = kept.writer(upload_id, LARGEST)
    for part in parts:
        upload.write(part)
    upload.finish()
    return upload_id


def copied(kept: Storage, upload_id: UUID, tmp_path: Path) -> bytes:
    path = tmp_path / "copy"
    kept.copy_to(upload_id, path)
    return path.read_bytes()


def pattern(size: int) -> bytes:
    """Bytes of which no two pages are the same."""
    return b"".join(number.to_bytes(4, "big") for number in range((size + 3) // 4))[:size]


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE, PAGE + 1, LARGEST])
def test_what_was_written_is_read_again(kept: Storage, tmp_path: Path, size: int) -> None:
    data = pattern(size)
    assert copied(kept, store(kept, data), tmp_path) == data


@pytest.mark.parametrize("step", [1000, PAGE // 2, PAGE - 1, PAGE + 1, 3 * PAGE])
def test_parts_of_any_length_make_one_upload(kept: Storage, tmp_path: Path, step: int) -> None:
    data = pattern(2 * PAGE + 12345)
    parts = [data[start : start + step] for start in range(0, len(data), step)]
    assert copied(kept, store(kept, *parts), tmp_path) == data


def test_uploads_do_not_mix(kept: Storage, tmp_path: Path) -> None:
    first_id, second_id = new_id(), new_id()
    first, second = kept.writer(first_id, LARGEST), kept.writer(second_id, LARGEST)
    for _ in range(3):
        first.write(b"a" * PAGE)
        second.write(b"b" * PAGE)
    first.finish()
    second.finish()
    assert copied(kept, first_id, tmp_path) == b"a" * 3 * PAGE
    assert copied(kept, second_id, tmp_path) == b"b" * 3 * PAGE


def test_too_much_is_refused_and_leaves_nothing(kept: Storage, tmp_path: Path) -> None:
    upload_id = new_id()
    upload = kept.writer(upload_id, LARGEST)
    upload.write(b"x" * LARGEST)
    with pytest.raises(TaskError) as refused:
        upload.write(b"x")
    assert refused.value.code == "too_large"
    upload.abort()
    is_gone(kept, upload_id, tmp_path)
    assert kept.older_than(timedelta(seconds=-60), limit=10) == []


def is_gone(kept: Storage, upload_id: UUID, tmp_path: Path) -> None:
    with pytest.raises(TaskError) as refused:
        copied(kept, upload_id, tmp_path)
    assert (refused.value.code, refused.value.retryable) == ("not_found", False)
    assert str(upload_id) in refused.value.message


def test_an_upload_that_is_deleted_is_gone(kept: Storage, tmp_path: Path) -> None:
    upload_id, other = store(kept, b"x" * 2 * PAGE), store(kept, b"other")
    kept.delete(upload_id)
    kept.delete(upload_id)
    kept.delete(uuid.uuid4())
    is_gone(kept, upload_id, tmp_path)
    assert copied(kept, other, tmp_path) == b"other"


def test_what_was_not_written_to_its_end_can_be_found_and_deleted(kept: Storage) -> None:
    upload_id = new_id()
    broken = kept.writer(upload_id, LARGEST)
    broken.write(b"x" * 2 * PAGE)
    del broken
    assert kept.older_than(timedelta(seconds=-60), limit=10) == [upload_id]
    kept.delete(upload_id)
    assert kept.older_than(timedelta(seconds=-60), limit=10) == []


def test_old_uploads_are_listed_oldest_first_a_few_at_a_time(kept: Storage) -> None:
    ids = [store(kept, b"x") for _ in range(5)]
    assert kept.older_than(timedelta(hours=1), limit=10) == [], "none is old"
    assert kept.older_than(timedelta(seconds=-60), limit=3) == ids[:3]
    assert kept.older_than(timedelta(seconds=-60), limit=3, after=ids[2]) == ids[3:]


def test_what_is_not_ours_in_a_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    kept = storage(read({"STORAGE_URL": str(tmp_path)}))
    assert kept.older_than(timedelta(seconds=-60), limit=10) == []
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_page_is_written_in_a_transaction_of_its_own(database: Engine) -> None:
    upload = storage(read({})).writer(new_id(), LARGEST)
    for pages in range(1, 4):
        upload.write(b"x" * PAGE)
        with models_database.transaction() as session:
            assert session.scalar(text("SELECT count(*) FROM blobs")) == pages


@pytest.mark.parametrize("lost", ["page = 1", "page = 2", "page = 3"])
def test_an_upload_that_lacks_a_page_is_an_error_and_no_shorter_document(
    database: Engine, tmp_path: Path, lost: str
) -> None:
    kept = storage(read({}))
    upload_id = store(kept, pattern(3 * PAGE + 5))
    with models_database.transaction() as session:
        session.execute(text(f"DELETE FROM blobs WHERE {lost}"))
    is_gone(kept, upload_id, tmp_path)


def test_an_upload_with_a_page_of_other_bytes_is_an_error(database: Engine, tmp_path: Path) -> None:
    kept = storage(read({}))
    upload_id = store(kept, pattern(2 * PAGE))
    with models_database.transaction() as session:
        session.execute(text("UPDATE blobs SET data = overlay(data PLACING 'x'::bytea FROM 7) WHERE page = 1"))
    is_gone(kept, upload_id, tmp_path)


def test_an_upload_of_the_release_before_is_read(database: Engine, tmp_path: Path) -> None:
    kept = storage(read({}))
    upload_id = store(kept, pattern(PAGE + 1))
    with models_database.transaction() as session:
        session.execute(text("UPDATE blobs SET size = NULL, sha256 = NULL"))
    assert copied(kept, upload_id, tmp_path) == pattern(PAGE + 1)


def test_two_attempts_at_one_file_do_not_write_into_each_other(tmp_path: Path, database: Engine) -> None:
    kept = storage(read({"STORAGE_URL": str(tmp_path / "a[b]")}))
    upload_id = new_id()
    old, new = kept.writer(upload_id, LARGEST), kept.writer(upload_id, LARGEST)
    new.write(b"new")
    new.finish()
    old.write(b"older and longer")
    assert copied(kept, upload_id, tmp_path) == b"new"
    old.abort()
    kept.delete(upload_id)
    is_gone(kept, upload_id, tmp_path)
