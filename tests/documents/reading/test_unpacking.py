"""An archive of documents: its members come out whole, under the names that they were given, within limits."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.reading import unpacking
from documents.reading.unpacking import Unpacked, unpack
from errors import TaskError
from tests.documents import samples
from tests.documents.extracted import CHINESE

TEXT = CHINESE.encode()


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def archive_named(names: list[bytes], extra: bytes = b"") -> bytes:
    """An archive whose members' names are these bytes, of which nothing says in which encoding they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo(f"{number:>{len(name)}}".replace(" ", "~"))
            info.extra = extra
            file.writestr(info, TEXT)
    data = out.getvalue()
    for number, name in enumerate(names):
        data = data.replace(f"{number:>{len(name)}}".replace(" ", "~").encode(), name)
    return data


def unpacked(folder: Path, data: bytes, filename: str = "a.zip") -> Unpacked | None:
    path = folder / "payload"
    path.write_bytes(data)
    (folder / "members").mkdir(exist_ok=True)
    return unpack(str(path), filename, None, str(folder / "members"), 1024 * 1024)


def contents(result: Unpacked | None) -> dict[str, bytes]:
    assert result is not None
    return {member.name: Path(member.file).read_bytes() for member in result.members}


def refusal(folder: Path, data: bytes) -> TaskError:
    with pytest.raises(TaskError) as caught:
        unpacked(folder, data)
    return caught.value


@given(
    members=st.dictionaries(st.text("abc年假员工 -", min_size=3, max_size=20).map(str.strip).filter(len), st.binary())
)
def test_every_member_comes_out_whole(tmp_path_factory: pytest.TempPathFactory, members: dict[str, str]) -> None:
    wanted = {
        f"folder/{name}.txt": f"text {CHINESE} {data}".encode("utf-8", "replace") for name, data in members.items()
    }
    data = archive(wanted | {"folder/": b""} | {"first.txt": TEXT})
    assert contents(unpacked(tmp_path_factory.mktemp("zip"), data)) == wanted | {"first.txt": TEXT}


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8", "big5", "shift_jis"])
def test_names_are_read_in_the_encoding_of_the_system_that_wrote_them(tmp_path: Path, encoding: str) -> None:
    names = {
        "big5": ["員工手冊/第一章 總則.txt", "員工手冊/請假制度.txt"],
        "shift_jis": ["社員ハンドブック/休暇について.txt", "社員ハンドブック/はじめに.txt"],
    }.get(encoding, ["员工手册/第一章 总则.txt", "员工手册/请假制度.txt", "员工手册/readme.txt"])
    data = archive_named([name.encode(encoding) for name in names])
    assert sorted(contents(unpacked(tmp_path, data))) == sorted(names)


def test_a_name_that_is_repeated_in_unicode_is_taken_from_there(tmp_path: Path) -> None:
    raw, name = b"?????.txt", "员工手册.txt"
    field = struct.pack("<BI", 1, zlib.crc32(raw)) + name.encode()
    data = archive_named([raw], struct.pack("<HH", 0x7075, len(field)) + field)
    assert list(contents(unpacked(tmp_path, data))) == [name]


def test_no_name_leads_out_of_the_archive(tmp_path: Path) -> None:
    data = archive({"../../etc/passwd.txt": TEXT, "/root/a.txt": TEXT, "..\\b.txt": TEXT})
    assert sorted(contents(unpacked(tmp_path, data))) == ["b.txt", "etc/passwd.txt", "root/a.txt"]
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path, tmp_path / "members"}


def test_archives_in_archives_are_unpacked_to_a_depth(tmp_path: Path) -> None:
    data = archive({"deep.txt": TEXT})
    for depth in range(1, unpacking.DEEPEST + 1):
        data = archive({f"{depth}.zip": data, f"{depth}.txt": TEXT})
    result = unpacked(tmp_path, data)
    assert sorted(contents(result)) == ["3.txt", "3.zip/2.txt", "3.zip/2.zip/1.txt"]
    assert result is not None
    assert "3.zip/2.zip/1.zip was not read" in result.warnings[0]


def test_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    data = archive({"a.txt": TEXT, "b.gif": b"GIF89a" + bytes(100), "c.txt": b"", "d.txt": bytes(2**20 + 1)})
    result = unpacked(tmp_path, data)
    assert list(contents(result)) == ["a.txt"]
    assert result is not None
    assert [warning.split(" was not read: ")[0] for warning in result.warnings] == ["b.gif", "c.txt", "d.txt"]
    assert [warning.split(": ")[1] for warning in result.warnings] == ["unsupported_format", "empty", "too_large"]


def test_warnings_of_an_archive_are_counted_when_they_are_many(tmp_path: Path) -> None:
    result = unpacked(tmp_path, archive({"a.txt": TEXT, **{f"{number}.txt": b"" for number in range(150)}}))
    assert result is not None
    assert len(result.warnings) == 101
    assert result.warnings[-1] == "there are 50 more warnings"


def test_what_systems_leave_behind_is_no_document(tmp_path: Path) -> None:
    junk = dict.fromkeys(("__MACOSX/._a.txt", ".DS_Store", "x/Thumbs.db", "x/desktop.ini", ".git/config"), TEXT)
    assert list(contents(unpacked(tmp_path, archive(junk | {"x/a.txt": TEXT})))) == ["x/a.txt"]


def test_an_office_document_is_no_archive_of_documents(tmp_path: Path) -> None:
    word = samples.docx(samples.paragraph("Hello"))
    assert unpacked(tmp_path, word, "a.docx") is None
    assert unpacked(tmp_path, word) is None
    assert unpacked(tmp_path, archive({"a.txt": TEXT}), "a.docx") is None
    assert contents(unpacked(tmp_path, archive({"w.docx": word}))) == {"w.docx": word}


def test_where_no_member_can_be_read_the_error_says_why(tmp_path: Path) -> None:
    picture = b"GIF89a" + bytes(100)
    assert refusal(tmp_path, archive({"a.gif": picture, "b.gif": picture})).code == "unsupported_format"
    assert refusal(tmp_path, archive({"a.txt": b""})).code == "empty"
    assert refusal(tmp_path, archive({})).code == "empty"
    locked = bytearray(archive({"a.txt": TEXT}))
    for at in (locked.index(b"PK\x03\x04") + 6, locked.index(b"PK\x01\x02") + 8):
        locked[at] |= 1  # the flag that says so
    assert refusal(tmp_path, bytes(locked)).code == "encrypted"


def test_a_damaged_member_harms_no_other(tmp_path: Path) -> None:
    data = bytearray(archive({"a.txt": TEXT, "b.txt": b"good"}, zipfile.ZIP_STORED))
    data[data.index(TEXT)] ^= 1
    result = unpacked(tmp_path, bytes(data))
    assert contents(result) == {"b.txt": b"good"}
    assert result is not None
    assert result.warnings[0].startswith("a.txt was not read: corrupt")


class TestLimits:
    def test_a_bomb_is_refused_before_it_is_inflated(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, archive({"a.txt": bytes(100 * 2**20)})).code == "archive_bomb"
        assert list((tmp_path / "members").iterdir()) == []

    def test_archives_in_an_archive_share_one_budget(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(unpacking, "MAX_INFLATED", 100_000)
        inner = archive({"a.txt": bytes(40_000) + TEXT})
        assert refusal(tmp_path, archive({f"{n}.zip": inner for n in range(3)})).code == "archive_bomb"

    def test_there_are_only_so_many_members(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(unpacking, "MAX_DOCUMENTS", 3)
        assert refusal(tmp_path, archive({f"{n}.txt": TEXT for n in range(4)})).code == "too_large"
