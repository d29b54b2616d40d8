"""Tar archives and packed files become documents as zips do, within the same limits."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.reading import tar, unpacking
from errors import TaskError
from tests.documents import samples
from tests.documents.extracted import CHINESE, Read
from tests.documents.reading.test_unpacking import archive as zipped
from tests.documents.reading.test_unpacking import contents, refusal, unpacked

TEXT = CHINESE.encode()
PACKERS: dict[str, Callable[[bytes], bytes]] = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress}


def tarred(
    members: dict[str, bytes | tarfile.TarInfo], format: int = tarfile.PAX_FORMAT, encoding: str = "utf-8"
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, encoding=encoding) as file:
        for name, data in members.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(data, bytes):
                info.size = len(data)
            file.addfile(info, io.BytesIO(data if isinstance(data, bytes) else b""))
    return out.getvalue()


def special(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo("special")
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("suffix", PACKERS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(
        st.text("abc年假员工 -", min_size=3, max_size=120).map(str.strip).filter(len), st.binary(max_size=3000)
    )
)
def test_every_member_comes_out_whole(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, members: dict[str, bytes]
) -> None:
    wanted = {f"folder/{name}.txt": CHINESE.encode() + data.hex().encode() for name, data in members.items()}
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    data = PACKERS[suffix](tarred({"folder": folder, **wanted, "first.txt": TEXT}))
    documents = contents(unpacked(tmp_path_factory.mktemp("tar"), data, f"a.{suffix}"))
    assert documents == wanted | {"first.txt": TEXT}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "big5"])
def test_names_are_read_as_they_were_meant(tmp_path: Path, format: int, encoding: str) -> None:
    names = (
        ["員工手冊/第一章 總則.txt", "員工手冊/請假制度.txt"] if encoding == "big5" else ["员工手册/第一章 总则.txt"]
    )
    assert list(contents(unpacked(tmp_path, tarred(dict.fromkeys(names, TEXT), format, encoding), "a.tar"))) == names


@pytest.mark.parametrize("filename", ["a.csv.gz", "a.csv.bz2", "a.csv", None])
def test_a_single_file_that_is_packed_is_its_one_member(tmp_path: Path, filename: str | None) -> None:
    pack = bz2.compress if filename == "a.csv.bz2" else gzip.compress
    (tmp_path / "payload").write_bytes(pack(TEXT))
    result = unpacking.unpack(str(tmp_path / "payload"), filename, None, str(tmp_path), 1000)
    assert contents(result) == {"a.csv" if filename else "document": TEXT}


def test_streams_that_were_put_together_are_one_file(tmp_path: Path) -> None:
    for pack in (gzip.compress, bz2.compress):
        assert contents(unpacked(tmp_path, pack(TEXT) + pack(b"more"), "a.txt.gz")) == {"a.txt": TEXT + b"more"}
    assert contents(unpacked(tmp_path, gzip.compress(TEXT) + bytes(512), "a.txt.gz")) == {"a.txt": TEXT}


def test_no_name_leads_out_of_the_archive_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    data = tarred(
        {
            "../../etc/passwd.txt": TEXT,
            "/root/a.txt": TEXT,
            "./b.txt": TEXT,
            "symbolic": special(tarfile.SYMTYPE, str(tmp_path / "secret.txt")),
            "hard": special(tarfile.LNKTYPE, "b.txt"),
            "device": special(tarfile.CHRTYPE),
            "pipe": special(tarfile.FIFOTYPE),
        }
    )
    result = unpacked(tmp_path, data, "a.tar")
    assert sorted(contents(result)) == ["b.txt", "etc/passwd.txt", "root/a.txt"]
    assert result is not None
    assert len(result.warnings) == 4
    assert all("it is a link, a device or a sparse file" in warning for warning in result.warnings)
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path, tmp_path / "members"}


def test_archives_of_each_kind_lie_in_each_other_to_a_depth(tmp_path: Path) -> None:
    inner = zipped({"1.txt": TEXT, "2.txt.gz": gzip.compress(TEXT)})
    data = gzip.compress(tarred({"b.zip": inner, "c.docx": samples.docx(samples.paragraph("Hello"))}))
    documents = contents(unpacked(tmp_path, zipped({"a.tgz": data}), "a.zip"))
    assert sorted(documents) == ["a.tgz/b.zip/1.txt", "a.tgz/c.docx"]
    assert sorted(contents(unpacked(tmp_path, data, "a.tgz"))) == ["b.zip/1.txt", "b.zip/2.txt.gz/2.txt", "c.docx"]


@pytest.mark.parametrize("suffix", PACKERS)
def test_an_archive_that_is_cut_short_or_damaged_is_corrupt(tmp_path: Path, suffix: str) -> None:
    # What was packed is no longer dense: the damage lies within a member, or in a header.
    plain = tarred({"a.txt": bytes(range(256)) * 40, "b.txt": TEXT})
    whole = PACKERS[suffix](plain)
    assert refused(tmp_path, whole[: len(whole) // 2], suffix) == "corrupt"
    at = plain.index(b"b.txt")
    assert refused(tmp_path, PACKERS[suffix](plain[:at] + b"B" + plain[at + 1 :]), suffix) == "corrupt"
    if suffix != "tar":
        torn = bytearray(whole)
        torn[-6] ^= 1  # in the checksum
        assert refused(tmp_path, bytes(torn), suffix) == "corrupt"


def refused(folder: Path, data: bytes, suffix: str) -> str:
    with pytest.raises(TaskError) as caught:
        unpacked(folder, data, f"a.{suffix}")
    return str(caught.value.code)


def test_an_archive_in_a_mail_is_read(read: Read) -> None:
    message = EmailMessage()
    message["Subject"] = "Files"
    message.set_content("Here.")
    data = gzip.compress(tarred({"手册/a.txt": TEXT}))
    message.add_attachment(data, maintype="application", subtype="gzip", filename="all.tar.gz")
    extracted = read("a.eml", message.as_bytes())
    assert extracted.text.endswith(f"Attachment: all.tar.gz/手册/a.txt\n\n{CHINESE}")
    assert extracted.warnings == []


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(sorted(PACKERS)),
    places=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 3),
)
def test_a_damaged_archive_is_read_or_refused_but_nothing_else(
    tmp_path: Path, suffix: str, places: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(
        PACKERS[suffix](tarred({"a.txt": TEXT, "b/" + "c" * 120: TEXT, "d": special(tarfile.SYMTYPE, "a")}))
    )
    for place, byte in places:
        data[place % len(data)] = byte
    try:
        unpacked(tmp_path, bytes(data[: len(data) - cut * 20]), f"a.{suffix}")
    except TaskError:
        return


class TestLimits:
    @pytest.mark.parametrize("suffix", ["tar.gz", "tar.bz2"])
    def test_a_bomb_is_refused_before_it_is_inflated_whole(
        self, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        count = tar.Inflated._count

        def counted(stream: tar.Inflated, size: int) -> None:
            sizes.append(size)
            count(stream, size)

        monkeypatch.setattr(tar.Inflated, "_count", counted)
        bomb = PACKERS[suffix](tarred({"a.txt": bytes(100 * 2**20)}))
        assert refused(tmp_path, bomb, suffix) == "archive_bomb"
        assert sum(sizes) < 40 * 2**20
        assert list((tmp_path / "members").iterdir()) == []

    def test_a_single_file_may_be_a_bomb(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, gzip.compress(bytes(100 * 2**20))).code == "archive_bomb"

    def test_archives_in_an_archive_share_one_budget(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(unpacking, "MAX_INFLATED", 150_000)
        inner = gzip.compress(tarred({"a.txt": bytes(40_000) + TEXT}))
        assert refused(tmp_path, tarred({f"{n}.tgz": inner for n in range(4)}), "tar") == "archive_bomb"

    def test_a_file_that_is_too_large_is_told_with_its_size(self, tmp_path: Path) -> None:
        result = unpacked(tmp_path, tarred({"a.txt": bytes(2**20 + 1), "b.txt": TEXT}), "a.tar")
        assert list(contents(result)) == ["b.txt"]
        assert result is not None
        assert result.warnings == ["a.txt was not read: too_large: it has 1,048,577 bytes, more than 1,048,576"]
        assert refusal(tmp_path, gzip.compress(bytes(2**20 + 1))).code == "too_large"

    def test_there_are_only_so_many_members(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = tarred({f"{n}.txt": TEXT for n in range(4)})
        monkeypatch.setattr(tar, "MAX_MEMBERS", 3)
        assert refused(tmp_path, data, "tar") == "archive_bomb"
        monkeypatch.undo()
        monkeypatch.setattr(unpacking, "MAX_DOCUMENTS", 3)
        assert refused(tmp_path, data, "tar") == "too_large"

    def test_a_sparse_file_is_not_blown_up(self, tmp_path: Path) -> None:
        header = bytearray(tarred({"s.txt": TEXT}, tarfile.GNU_FORMAT)[:512])
        header[156:157] = tarfile.GNUTYPE_SPARSE
        header[483:495] = b"00007777777\0"  # the size that it claims
        header[148:156] = b"%06o\0 " % sum((*header[:148], *b" " * 8, *header[156:]))
        data = bytes(header) + tarred({"s.txt": TEXT})[512:]
        assert refused(tmp_path, data, "tar") in ("unsupported_format", "too_large")
