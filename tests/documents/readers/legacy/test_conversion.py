"""DOC and PPT are read where LibreOffice is installed, confined as every reader is; without it they say what helps."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from documents.readers.legacy import conversion, kit
from documents.reading import deadline
from documents.sandbox.pool import MEMORY_BYTES, Cancelled, Sandbox
from errors import TaskError
from tests.documents import office, samples
from tests.documents.conftest import forget_libreoffice
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings
from tests.packages import install

SECRET = "postgresql://tasks:hunter2@db/tasks"
DOCX = samples.docx(
    samples.paragraph("员工手册", "1")
    + samples.paragraph(CHINESE)
    + samples.table([["姓名", "天数"], ["张三", "15"]])
    + samples.paragraph("Leave", "2")
    + samples.paragraph(ENGLISH),
    {"word/_rels/document.xml.rels": office.relations({"s": ("styles", "styles.xml")})},
)
PPTX = office.pptx(
    [office.title("年假") + office.content([CHINESE, ENGLISH]), office.content(["Two"])],
    {1: "Notes"},
)


class Legacy(NamedTuple):
    doc: bytes
    ppt: bytes


def has_libreoffice() -> bool:
    conversion.program.cache_clear()
    return None not in (conversion.program("writer"), conversion.program("impress"))


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Legacy]:
    """Our own samples as LibreOffice writes them in the older formats."""
    install(has_libreoffice, "libreoffice-writer-nogui", "libreoffice-impress-nogui")
    folder = tmp_path_factory.mktemp("legacy")
    yield Legacy(older(folder / "a.docx", DOCX, "MS Word 97"), older(folder / "a.pptx", PPTX, "MS PowerPoint 97"))
    forget_libreoffice()


def older(source: Path, data: bytes, filter: str) -> bytes:
    source.write_bytes(data)
    program, profile, target = conversion.program("writer"), source.with_suffix(".profile"), source.with_suffix(".old")
    command = [sys.executable, "-I", kit.__file__, str(program), str(profile), str(source), str(target), filter]
    subprocess.run(command, check=True, timeout=120)
    return target.read_bytes()


def programs() -> list[psutil.Process]:
    """The processes below this one in which LibreOffice runs."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if process.is_running() and kit.__file__ in process.cmdline()]


def test_a_chinese_document_is_read_with_its_headings_and_its_table(read: Read, legacy: Legacy) -> None:
    extracted = read("手册.DOC", legacy.doc)
    assert extracted.text == (
        f"# 员工手册\n\n{CHINESE}\n\n| 姓名 | 天数 |\n| --- | --- |\n| 张三 | 15 |\n\n## Leave\n\n{ENGLISH}"
    )
    assert headings(extracted) == [(1, "员工手册"), (2, "Leave")]
    assert (extracted.format, extracted.warnings) == ("doc", [])


def test_a_presentation_is_read_with_its_notes(read: Read, legacy: Legacy) -> None:
    extracted = read("a", legacy.ppt, "application/vnd.ms-powerpoint")
    assert extracted.text == f"# 年假\n\n{CHINESE}\n{ENGLISH}\n\nNotes: Notes\n\nTwo"
    assert (extracted.format, extracted.pages, extracted.warnings) == ("ppt", 2, [])


@pytest.mark.usefixtures("legacy")
def test_a_damaged_document_is_refused(read: Read) -> None:
    with pytest.raises(TaskError, match="corrupt: LibreOffice cannot read it"):
        read("a.doc", office.compound({"WordDocument": b"x"}))


@pytest.mark.usefixtures("legacy")
@pytest.mark.parametrize(
    ("name", "streams"),
    [
        ("a.doc", {"WordDocument": b"\xec\xa5\xc1\x00".ljust(10, b"\0") + b"\x00\x01"}),
        ("a.ppt", {"PowerPoint Document": b"x", "Current User": bytes(12) + b"\xdf\xc4\xd1\xf3"}),
    ],
)
def test_a_password_is_told_before_anything_is_started(read: Read, name: str, streams: dict[str, bytes]) -> None:
    with pytest.raises(TaskError, match=r"encrypted: .* of the time before 2007, protected by a password"):
        read(name, office.compound(streams))


def test_one_that_takes_too_long_is_ended_and_leaves_nothing(
    read: Read, legacy: Legacy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with deadline.within(0.4), pytest.raises(TaskError, match="timeout: LibreOffice took longer than 0 seconds"):
        read("a.doc", legacy.doc)
    assert programs() == []
    assert [path.name for path in tmp_path.iterdir()] == ["payload"]


def test_it_is_confined_as_its_reader_is_and_dies_with_it(
    legacy: Legacy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", SECRET)
    document = tmp_path / "payload"
    document.write_bytes(legacy.doc)
    seen: list[psutil.Process] = []
    facts: dict[str, str] = {}

    def cancelled() -> bool:
        seen.extend(programs())
        if seen:
            folder = Path(f"/proc/{seen[0].pid}")
            facts.update({name: (folder / name).read_text() for name in ("status", "environ", "limits")})
            facts["network"] = str((folder / "ns" / "net").readlink())
        return bool(seen)

    sandbox = Sandbox(1)
    try:
        sandbox.run("tests.documents.sandbox.victims:echo", (1,), timeout=20)
        network = str(Path(f"/proc/{sandbox.children[0]}/ns/net").readlink())
        with pytest.raises(Cancelled):
            sandbox.extract(document, filename="a.doc", timeout=60, cancelled=cancelled)
        assert psutil.wait_procs(seen, timeout=10)[1] == []
    finally:
        sandbox.close()
    assert "NoNewPrivs:\t1" in facts["status"]
    assert "Seccomp:\t2" in facts["status"], "it is refused sockets"
    assert facts["network"] == network, "it has the network of its reader, which is none"
    assert SECRET not in facts["environ"]
    assert f"Max address space         {MEMORY_BYTES}" in facts["limits"]


@pytest.mark.parametrize(
    ("stream", "hint"),
    [
        ("WordDocument", "save it as .docx, or install libreoffice-writer-nogui where the workers run"),
        ("PowerPoint Document", "save it as .pptx, or install libreoffice-impress-nogui where the workers run"),
    ],
)
def test_without_libreoffice_it_is_said_what_helps(read: Read, stream: str, hint: str) -> None:
    forget_libreoffice()
    with pytest.raises(TaskError, match=f"unsupported_format: .*{hint}"):
        read("a.txt", office.compound({stream: b"x"}))
