"""Whatever is wrong with a document: it fails with the code that says so, is not tried in vain, and harms no other."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from errors import CODES
from tests.documents import office, samples
from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.receiver import Receiver
from tests.reliability.conftest import House

#: Codes that a document cannot earn by what it is.
OF_NO_DOCUMENT = {"cancelled", "dependency_failed", "expired", "superseded"}
#: Codes that a provider's answer earns it; see test_replacement.py.
OF_A_PROVIDER = {"embedder_unavailable", "rate_limited"}

SECRET = "what lies outside of UPLOAD_ROOTS"
TEXT = "# Beside\n\n" + "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。\n\n" * 20
#: Threads of the one worker; all but one hold a task that runs as long as the bad documents come.
THREADS = 10


@dataclass(frozen=True)
class Place:
    """Where a bad document is submitted, and the folder that paths may name."""

    house: House
    uploads: Path

    def submit(self, **payload: Any) -> str:
        return self.house.submit(task_type="document_processing", kb_id="bad", payload=payload, retry_limit=1)


@dataclass(frozen=True)
class Bad:
    """A bad document: the code that it earns, how it is submitted, and how often its stage is tried."""

    code: str
    submit: Callable[[Place], str]
    attempts: int = 1


def upload(name: str, data: bytes, **fields: str) -> Callable[[Place], str]:
    def submit(place: Place) -> str:
        answer = place.house.deployment.http.post(
            "/api/v1/kbs/bad/documents", files={"file": (name, data)}, data={"retry_limit": "1", **fields}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    return submit


def path(file: str | Callable[[Path], Any]) -> Callable[[Place], str]:
    """By a path, or by one that is made below the uploads."""
    return lambda place: place.submit(file_path=str(file(place.uploads) if callable(file) else file))


def url(address: str) -> Callable[[Place], str]:
    return lambda place: place.submit(url=address.format(port=place.house.deployment.port))


def scan() -> bytes:
    """Pages as a scanner sees them, without a word on them: no text recognition finds any."""
    made = pypdfium2.PdfDocument.new()
    for page in pypdfium2.PdfDocument(samples.pdf([None, None])):
        width, height = page.get_size()
        picture = pypdfium2.PdfImage.new(made)
        picture.set_bitmap(page.render())
        picture.set_matrix(pypdfium2.PdfMatrix().scale(width, height))
        sheet = made.new_page(width, height)
        sheet.insert_obj(picture)
        sheet.gen_content()
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def link(uploads: Path) -> Path:
    (uploads / "link.txt").symlink_to(uploads.parent / "secret.txt")
    return uploads / "link.txt"


def linked_folder(uploads: Path) -> Path:
    (uploads / "folder").symlink_to(uploads.parent)
    return uploads / "folder" / "secret.txt"


def pipe(uploads: Path) -> Path:
    os.mkfifo(uploads / "pipe.txt")
    return uploads / "pipe.txt"


def enormous(uploads: Path) -> Path:
    """One byte more than MAX_DOCUMENT_BYTES; it takes no room on the disk."""
    with (uploads / "enormous.txt").open("wb") as file:
        file.truncate(100 * 1024 * 1024 + 1)
    return uploads / "enormous.txt"


WORD = samples.docx(samples.paragraph("Hello"))

BAD = {
    "a PDF cut short": Bad("corrupt", upload("a.pdf", samples.pdf([["Hello"]])[:300])),
    "a Word document cut short": Bad("corrupt", upload("a.docx", WORD[: len(WORD) // 2])),
    "a text called PDF": Bad("corrupt", upload("a.pdf", b"This is no PDF at all.")),
    "an encrypted PDF": Bad("encrypted", upload("a.pdf", samples.pdf([["Hello"]], password="secret"))),
    "an encrypted Word document": Bad(
        "encrypted", upload("a.docx", office.compound({"EncryptedPackage": bytes(2000)}))
    ),
    "an empty upload": Bad("empty", upload("a.txt", b"")),
    "an empty content": Bad("empty", lambda place: place.submit(content="")),
    "a text of white space": Bad("empty", upload("a.txt", b" \r\n\t\n")),
    "a PDF of blank pages": Bad("empty", upload("a.pdf", samples.pdf([[], []]))),
    "a scan": Bad("needs_ocr", upload("scan.pdf", scan())),
    "a picture": Bad("unsupported_format", upload("a.txt", b"GIF89a" + bytes(100))),
    "a program": Bad("unsupported_format", upload("a.txt", Path("/bin/true").read_bytes())),
    "an archive": Bad("unsupported_format", upload("a.7z", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(64))),
    "bytes of no encoding": Bad("undecodable", upload("a.txt", b"\x81\x8d\x8f words " * 50)),
    "a file larger than may be": Bad("too_large", path(enormous)),
    "a bomb of 10 GB": Bad("archive_bomb", path(lambda uploads: samples.bomb(uploads / "a.docx", 10 << 30))),
    "a bomb that says it is small": Bad(
        "archive_bomb", path(lambda uploads: samples.bomb(uploads / "b.docx", 10 << 30, declared=1 << 28))
    ),
    "a missing file": Bad("not_found", path(lambda uploads: uploads / "missing.txt")),
    "a path with ..": Bad("forbidden_path", path(lambda uploads: f"{uploads}/../secret.txt")),
    "a path elsewhere": Bad("forbidden_path", path("/etc/passwd")),
    "a relative path": Bad("forbidden_path", path("secret.txt")),
    "a link that leads out": Bad("forbidden_path", path(link)),
    "a folder that leads out": Bad("forbidden_path", path(linked_folder)),
    "a pipe": Bad("forbidden_path", path(pipe)),
    "the service's own address": Bad("forbidden_url", url("http://127.0.0.1:{port}/health")),
    "localhost": Bad("forbidden_url", url("http://localhost:{port}/health")),
    "localhost as IPv6": Bad("forbidden_url", url("http://[::ffff:127.0.0.1]:{port}/health")),
    "a cloud's metadata": Bad("forbidden_url", url("http://169.254.169.254/latest/meta-data/")),
    "a file's URL": Bad("forbidden_url", url("file:///etc/passwd")),
    "a host without an address": Bad("fetch_failed", url("http://there-is-no-such-host.invalid/a.pdf"), attempts=2),
    "a text that takes too long": Bad("timeout", upload("a.txt", TEXT.encode() * 10_000, timeout="0.2")),
    "a PDF that kills its reader": Bad("worker_crashed", upload("a.pdf", samples.swelling_pdf(900 << 20)), attempts=3),
    "tokens by a tokenizer that is none": Bad(
        "internal", upload("a.txt", b"Words.", chunk_unit="tokens", embedder="openai")
    ),
    "an embedder without its key": Bad("embedder_rejected", upload("a.txt", b"Words.", embedder="cohere")),
}


@dataclass
class Aftermath:
    """Every task when all have ended: the bad ones by their name, and those that ran beside them."""

    house: House
    bad: dict[str, dict[str, Any]]
    long: list[dict[str, Any]]
    good: list[dict[str, Any]]
    worker_starts: int


@pytest.fixture(scope="module")
def aftermath(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Aftermath]:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "secret.txt").write_text(SECRET)
    uploads = folder / "uploads"
    uploads.mkdir()
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text("{}")
    with (
        postgres.database() as database_url,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        Deployment(
            database_url, rabbitmq.url, folder, guard, UPLOAD_ROOTS=str(uploads), EMBEDDING_TOKENIZER=str(tokenizer)
        ) as deployment,
        Receiver() as receiver,
    ):
        house = House(deployment, receiver)
        house.open("web", "clock")
        worker = deployment.start("worker", restart=True, WORKER_POOL_SIZE=str(THREADS))
        long = [house.submit(task_type="benchmark", payload={"seconds": 20}) for _ in range(THREADS - 1)]
        good, bad = [], {}
        for number, (name, document) in enumerate(BAD.items()):
            bad[name] = document.submit(Place(house, uploads))
            good.append(house.document(TEXT, f"good {number}"))
        yield Aftermath(
            house,
            {name: house.ended(task_id, seconds=120) for name, task_id in bad.items()},
            [house.ended(task_id) for task_id in long],
            [house.ended(task_id) for task_id in good],
            worker.starts,
        )


@pytest.mark.parametrize("name", BAD)
def test_it_fails_with_its_code_and_is_not_tried_in_vain(aftermath: Aftermath, name: str) -> None:
    shown, expected = aftermath.bad[name], BAD[name]
    assert shown["status"] == "failed"
    error = shown["error"]
    assert error["code"] == expected.code, error
    assert error["hint"] == CODES[expected.code].hint
    assert error["hint_zh"] == CODES[expected.code].hint_zh
    assert error["retryable"] is (expected.attempts > 1)
    (failed,) = [stage for stage in shown["stages"] if stage["status"] == "failed"]
    assert failed["name"] == error["stage"]
    assert failed["attempts"] == expected.attempts
    assert SECRET not in json.dumps(shown)


def test_every_code_that_a_document_can_earn_is_earned() -> None:
    assert {case.code for case in BAD.values()} == set(CODES) - OF_NO_DOCUMENT - OF_A_PROVIDER


def test_no_bad_document_is_searchable(aftermath: Aftermath) -> None:
    assert aftermath.house.deployment.http.get("/api/v1/kbs/bad/documents").json()["items"] == []


def test_the_work_beside_them_is_not_disturbed(aftermath: Aftermath) -> None:
    for shown in aftermath.long + aftermath.good:
        assert shown["status"] == "completed", shown["error"]
        assert {stage["attempts"] for stage in shown["stages"]} == {1}
    assert aftermath.worker_starts == 1


def test_each_end_is_told_once(aftermath: Aftermath) -> None:
    tasks = [*aftermath.bad.values(), *aftermath.long, *aftermath.good]
    aftermath.house.called_back_once(*(shown["task_id"] for shown in tasks))
