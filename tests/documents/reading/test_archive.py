"""Members of zip archives come back as they are, whichever way they are read, and damage is never taken for content."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.reading.archive import Archive
from documents.reading.containers import zip_format
from errors import TaskError

SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.sampled_from(["a.xml", "ppt/slides/slide1.xml", "文件.txt", "ünïcode", "a b"])
METHODS = st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
MEMBERS = st.dictionaries(NAMES, st.tuples(st.binary(max_size=400), METHODS), min_size=1)


def write(path: Path, members: dict[str, tuple[bytes, int]]) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name, (data, method) in members.items():
            archive.writestr(name, data, method)
    return path.read_bytes()


@given(MEMBERS, st.binary(max_size=40))
@SETTINGS
def test_members_come_back(tmp_path: Path, members: dict[str, tuple[bytes, int]], before: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(before + write(path, members))
    with Archive(path) as archive:
        assert {name: archive.read(name) for name in archive.members} == {
            name: data for name, (data, _) in members.items()
        }


@given(MEMBERS, st.integers(min_value=0), st.integers(1, 255))
@SETTINGS
def test_a_changed_byte_changes_no_content(
    tmp_path: Path, members: dict[str, tuple[bytes, int]], at: int, change: int
) -> None:
    path = tmp_path / "a.zip"
    data = bytearray(write(path, members))
    data[at % len(data)] ^= change
    path.write_bytes(data)
    try:
        with Archive(path) as archive:
            for name in archive.members:
                try:
                    result = archive.read(name)
                except TaskError as error:
                    assert error.code in ("corrupt", "encrypted", "archive_bomb")
                else:
                    assert result in [content for content, _ in members.values()]
    except TaskError as error:
        assert error.code in ("corrupt", "archive_bomb")


def test_a_budget_is_for_all_members(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", {str(number): (bytes(1000), zipfile.ZIP_DEFLATED) for number in range(3)})
    with Archive(tmp_path / "a.zip") as archive:
        archive._left = 2500
        assert archive.read("0") == archive.read("1")
        with pytest.raises(TaskError, match="inflate to more than"):
            archive.read("2")


@pytest.mark.parametrize("first", [True, False])
def test_an_office_document_is_known_wherever_its_types_lie(tmp_path: Path, first: bool) -> None:
    types = (
        b'<Override ContentType="application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"/>'
    )
    members = {"[Content_Types].xml": (types, zipfile.ZIP_DEFLATED), "a.xml": (b"<a/>", zipfile.ZIP_DEFLATED)}
    write(tmp_path / "a.zip", dict(sorted(members.items(), reverse=not first)))
    assert zip_format(tmp_path / "a.zip").name == "pptx"
