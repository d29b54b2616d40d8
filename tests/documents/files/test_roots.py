"""Documents below SOURCE_ROOTS: what may be read there, and what its servers answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from documents.sandbox.pool import Cancelled
from errors import TaskError
from tests.documents.files.test_source import LARGEST, Yard
from tests.s3_server import Bucket, s3_server
from tests.servers import free_port


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """Files of fsspec's own in this process, through the code that reads buckets."""
    files = fsspec.filesystem("memory")
    files.pipe({"/docs/tea.md": b"Green tea", "/docs/\u7eff \u8336.md": b"Green", "/secret/secret.txt": b"secret"})
    yield files
    files.rm("/", recursive=True)


def refusal(yard: Yard, url: str, roots: str) -> TaskError:
    return yard.refusal({"url": url}, environment={"SOURCE_ROOTS": roots})


def test_a_document_below_a_root_is_read(yard: Yard, memory: fsspec.AbstractFileSystem) -> None:
    environment = {"SOURCE_ROOTS": "s3://bucket,memory://docs/"}
    file = yard.fetch({"url": "memory://docs/tea.md"}, environment=environment)
    assert (file.path.read_text(), file.filename, file.size) == ("Green tea", "tea.md", 9)
    file = yard.fetch({"url": "MEMORY://docs/\u7eff \u8336.md", "filename": "a.md"}, environment=environment)
    assert (file.path.read_text(), file.filename) == ("Green", "a.md")


def test_without_roots_nothing_is_read(yard: Yard, memory: fsspec.AbstractFileSystem) -> None:
    for url in ("memory://docs/tea.md", yard.open.as_uri() + "/tea.md", "s3://bucket/a.md"):
        refused = refusal(yard, url, "")
        assert (refused.code, refused.retryable) == ("forbidden_url", False)


@pytest.mark.parametrize(
    "url",
    ["memory://secret/secret.txt", "memory://docs/../secret/secret.txt", "memory://docs/%2e%2E/secret/secret.txt",
     "memory://docs/a/..\\..\\secret/secret.txt", "memory://docs/./../secret/secret.txt", "memory://docs-other/a",
     "memory:///docs/../secret/secret.txt", "memory://docs", "memory://secret/secret.txt::memory://docs/a",
     "memory://docs/zip://a::memory://secret/secret.txt", "simplecache::memory://docs/tea.md", "memory://docs/a\0b",
     "memory://docs/a\nb", "file:///etc/passwd", "local:///etc/passwd", "github://docs/tea.md", "data://docs/a"],
)  # fmt: skip
def test_a_url_that_leads_elsewhere_is_forbidden(yard: Yard, memory: fsspec.AbstractFileSystem, url: str) -> None:
    assert refusal(yard, url, "memory://docs").code == "forbidden_url"


def test_a_folder_of_this_machine_is_held_to_what_its_files_really_are(yard: Yard) -> None:
    root = yard.open.as_uri()
    environment = {"SOURCE_ROOTS": root}
    (yard.open / "a b%20.md").write_text("Green")
    file = yard.fetch({"url": f"{root}/a%20b%2520.md"}, environment=environment)
    assert (file.path.read_text(), file.filename) == ("Green", "a b%20.md")
    (yard.open / "link.txt").symlink_to(yard.closed / "secret.txt")
    (yard.open / "std::vector.md").write_text("Green")
    assert yard.fetch({"url": f"{root}/std::vector.md"}, environment=environment).size == 5
    assert refusal(yard, f"{root}/link.txt", root).code == "forbidden_path"
    assert refusal(yard, f"{root}/../closed/secret.txt", root).code == "forbidden_url"
    assert refusal(yard, f"{root}/%2e%2e/closed/secret.txt", root).code == "forbidden_url"
    assert refusal(yard, f"{root}/none.txt", root).code == "not_found"


def test_a_root_that_is_a_folder_lets_no_path_be_read(yard: Yard) -> None:
    environment = {"SOURCE_ROOTS": yard.closed.as_uri()}
    refused = yard.refusal({"file_path": f"{yard.closed}/secret.txt"}, environment=environment)
    assert refused.code == "forbidden_path"


def test_what_is_not_there_is_not_found(yard: Yard, memory: fsspec.AbstractFileSystem) -> None:
    for url in ("memory://docs/none.md", "memory://docs/none/at/all", "memory://docs/tea.md/below"):
        refused = refusal(yard, url, "memory://docs")
        assert (refused.code, refused.retryable) == ("not_found", False)
    memory.pipe("/docs/folder/a.md", b"a")
    assert refusal(yard, "memory://docs/folder", "memory://docs").code == "not_found"


def test_what_is_too_large_or_unwanted_or_late_is_not_copied_on(
    yard: Yard, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/docs/large", b"x" * (LARGEST + 1))
    assert refusal(yard, "memory://docs/large", "memory://docs").code == "too_large"
    environment = {"SOURCE_ROOTS": "memory://docs", "MAX_DOCUMENT_BYTES": "5"}
    # A server that does not say how large it is.
    monkeypatch.setattr(memory, "info", lambda path: {"type": "file", "size": None})
    assert yard.refusal({"url": "memory://docs/tea.md"}, environment=environment).code == "too_large"
    environment = {"SOURCE_ROOTS": "memory://docs"}
    with pytest.raises(Cancelled):
        yard.fetch({"url": "memory://docs/tea.md"}, environment=environment, cancelled=lambda: True)
    late = yard.refusal({"url": "memory://docs/tea.md"}, environment=environment, timeout=0)
    assert (late.code, late.retryable) == ("fetch_failed", True)


def test_a_kind_of_files_that_cannot_be_read_here_is_told(yard: Yard) -> None:
    for url in ("gibberish://docs/tea.md", "gs://bucket/a.md"):
        refused = refusal(yard, url, url.rpartition("/")[0])
        assert (refused.code, refused.retryable) == ("fetch_failed", False)
        assert "not installed" in refused.message


def test_no_error_tells_more_than_the_place(
    yard: Yard, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise OSError("key AKIA s3cr3t is not known")

    monkeypatch.setattr(memory, "info", fail)
    refused = refusal(yard, "memory://docs/s3cr3t.md", "memory://docs")
    assert (refused.code, refused.retryable, refused.message) == ("fetch_failed", True, "memory://docs: OSError")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket of S3, with something in it."""
    with s3_server(tmp_path / "s3", monkeypatch) as store:
        store.put("handbook/\u7eff \u8336.md", b"Green tea")
        store.put("secret/secret.txt", b"secret")
        store.put("a.md", b"secret", bucket="other")
        yield store


ROOT = {"SOURCE_ROOTS": "s3://docs/handbook"}


def test_a_bucket_is_read_below_its_root_alone(yard: Yard, bucket: Bucket) -> None:
    bucket.put("handbook/parts", bytes(range(256)) * (LARGEST // 256))
    file = yard.fetch({"url": "s3://docs/handbook/\u7eff \u8336.md"}, environment=ROOT)
    assert (file.path.read_bytes(), file.filename) == (b"Green tea", "\u7eff \u8336.md")
    assert yard.fetch({"url": "s3://docs/handbook/parts"}, environment=ROOT).size == LARGEST
    for url in ("s3://docs/secret/secret.txt", "s3://docs/handbook/../secret/secret.txt", "s3://other/a.md",
                "s3a://docs/handbook/parts", "s3://docs/handbook", "s3://a:b@docs/handbook/parts"):  # fmt: skip
        assert yard.refusal({"url": url}, environment=ROOT).code == "forbidden_url", url


def test_what_a_bucket_answers_decides_whether_to_try_again(yard: Yard, bucket: Bucket) -> None:
    bucket.put("handbook/large", b"x" * (LARGEST + 1))
    bucket.put("handbook/locked.md", b"secret")
    bucket.denied.add("locked.md")
    expected = {"none.md": ("not_found", False), "large": ("too_large", False), "locked.md": ("fetch_failed", False)}
    for name, (code, retryable) in expected.items():
        refused = yard.refusal({"url": f"s3://docs/handbook/{name}"}, environment=ROOT)
        assert (refused.code, refused.retryable) == (code, retryable), refused
        assert "s3cr3t" not in refused.message
    gone = {"SOURCE_ROOTS": "s3://gone"}
    assert yard.refusal({"url": "s3://gone/a.md"}, environment=gone).code == "not_found"


def test_a_bucket_that_cannot_be_reached_may_be_reached_later(
    yard: Yard, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    refused = yard.refusal({"url": "s3://docs/handbook/a.md"}, environment=ROOT)
    assert (refused.code, refused.retryable) == ("fetch_failed", True), refused
    assert refused.message.startswith("s3://docs: ")
