"""Each format is one row of one table, and a row that is only half there is found here."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

from documents.reading.extraction import extract
from documents.reading.formats import BY_NAME, FORMATS, TEXT, Format, format_named
from documents.reading.sniffing import named_format
from errors import CODES
from tests.documents.reading.test_extraction import SEEDS

READ = [format for format in FORMATS if format.reader is not None]


def twice(words: list[str]) -> list[str]:
    return [word for word, count in Counter(words).items() if count > 1]


def test_a_name_a_suffix_and_a_media_type_belong_to_one_format() -> None:
    assert twice([format.name for format in FORMATS]) == []
    assert twice([suffix for format in FORMATS for suffix in format.suffixes]) == []
    assert twice([media_type for format in FORMATS for media_type in format.media_types]) == []
    assert twice(["a", "b", "a"]) == ["a"]


@pytest.mark.parametrize("format", READ, ids=lambda format: format.name)
def test_a_format_has_a_reader_and_a_way_to_it(format: Format) -> None:
    assert format.reader is not None
    assert callable(importlib.import_module(format.reader).read)
    if format is not TEXT:
        assert format.suffixes
    for suffix in format.suffixes:
        assert named_format(f"A.{suffix.upper()}", None) is format
    for media_type in format.media_types:
        assert named_format("a", f"{media_type}; charset=utf-8") is format


@pytest.mark.parametrize("name", SEEDS)
def test_a_reader_calls_its_format_as_its_row_does(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(SEEDS[name])
    format = named_format(name, None)
    assert format is not None
    assert extract(tmp_path / name, filename=name).format == format.name


@pytest.mark.parametrize("format", [format for format in FORMATS if format.reader is None], ids=lambda row: row.name)
def test_what_has_no_reader_is_told_with_a_format_that_has_one(format: Format) -> None:
    assert format.label
    for suffix in re.findall(r"\.(\w+)", format.hint):
        other = format_named(suffix, "")
        assert other is not None
        assert other.reader is not None


def test_formats_that_are_recommended_have_a_reader() -> None:
    recommended = re.findall(r"[A-Z]{3,}|Markdown", CODES["unsupported_format"].hint)
    assert len(recommended) > 5
    for word in recommended:
        assert BY_NAME[word.lower()].reader is not None
