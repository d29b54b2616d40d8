"""JSON and JSON Lines as readable lines: every key and value once, in order, however deep."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import TaskError
from tests.documents.extracted import CHINESE, ENGLISH, Read

RECORD = {"name": "Ada", "born": 1815, "address": {"city": "London", "zip": None}, "tags": ["a", ["b", {"c": 1}]]}
LINES = """name: Ada
born: 1815
address:
  city: London
  zip: null
tags:
  - a
  - - b
    - c: 1"""


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, f"{ENGLISH}\n{CHINESE}"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_text_comes_back(read: Read, text: str, ascii_only: bool) -> None:
    extracted = read("a.json", json.dumps({"body": text}, ensure_ascii=ascii_only))
    assert extracted.text.replace("\n  ", "\n") == f"body: {text}"
    assert extracted.format == "json"


def test_structure_is_indented(read: Read) -> None:
    assert read("a.json", json.dumps(RECORD, indent=4)).text == LINES


def test_records_stand_apart_in_a_list_and_in_lines(read: Read) -> None:
    other = {"name": "Grace", "list": [], "object": {}, "text": ""}
    wanted = f'{LINES}\n\nname: Grace\nlist: []\nobject: {{}}\ntext: ""'
    listed = read("a.json", json.dumps([RECORD, other]))
    lines = read("a.jsonl", json.dumps(RECORD) + "\r\n\r\n" + json.dumps(other) + "\n")
    assert (listed.text, listed.format, listed.properties) == (wanted, "json", {"records": 2})
    assert (lines.text, lines.format, lines.properties) == (wanted, "jsonl", {"records": 2})


def test_a_list_of_mere_values_is_one_block(read: Read) -> None:
    assert read("a.json", '["甲", 2, true]').text == "甲\n2\ntrue"


def test_doubled_keys_and_long_numbers_are_kept_as_they_stand(read: Read) -> None:
    digits = "1" * 5000
    text = read("a.json", f'{{"a": 1.10, "a": {digits}, "b": 1E400}}').text
    assert text == f"a: 1.10\na: {digits}\nb: 1E400"


@pytest.mark.parametrize("deep", ['{"a":', "[", '[{"a":'])
def test_depth_costs_neither_stack_nor_time(read: Read, deep: str) -> None:
    closing = "".join({"{": "}", "[": "]"}[sign] for sign in reversed(deep) if sign in "{[")
    started = time.process_time()
    extracted = read("a.json", deep * 100_000 + '"bottom"' + closing * 100_000)
    assert extracted.text.endswith("bottom")
    assert len(extracted.text) < 5_000_000
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ('{"a": 1,\n "b": ', "line 2, column 7"),
        ('{"a": 1,}', "line 1, column 9"),
        ("[1, 2", "line 1, column 6"),
        ('{"a": 1}\n{"b": 2', "line 2, column 8"),
        ("This is no JSON.", "line 1, column 1"),
        ('{"a": "never closed}', "line 1, column"),
    ],
)
def test_what_is_broken_is_refused_with_its_place(read: Read, data: str, place: str) -> None:
    with pytest.raises(TaskError, match=place) as caught:
        read("a.json", data)
    assert caught.value.code == "corrupt"


def test_json_is_known_by_its_bytes_where_nothing_names_it(read: Read) -> None:
    assert read(None, ' [ {"a": "b"}]').format == "json"
    assert read("download", '{"a": "b"}', content_type="text/plain").format == "json"
    assert read("notes.txt", '{"a": "b"}').format == "text"
    assert read(None, '{"a" and more').format == "text"


def test_a_page_under_the_name_of_json_is_found_out(read: Read) -> None:
    extracted = read("answer.json", "<!doctype html><p>Please log in</p>")
    assert (extracted.format, extracted.text) == ("html", "Please log in")
    assert "was read as html" in extracted.warnings[0]


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["C", "Z"])))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(categories=["L"])), inner)
)


def flat(value: object) -> list[str]:
    """Keys and values in the order in which they are written."""
    if isinstance(value, dict):
        return [part for key, inner in value.items() for part in (key, *flat(inner))]
    if isinstance(value, list):
        return [part for inner in value for part in flat(inner)]
    return [value if isinstance(value, str) else json.dumps(value)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_every_key_and_value_is_in_the_text_in_order(read: Read, value: object) -> None:
    text = read("a.json", json.dumps({"all": value})).text
    at = 0
    for part in flat(value):
        at = text.index(part, at) + len(part)
