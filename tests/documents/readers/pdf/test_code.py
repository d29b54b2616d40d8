"""Code in a PDF is a block of code as it was set, and what merely has a word of it, or looks like it, is prose."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.readers.pdf import reader
from tests.documents import samples
from tests.documents.extracted import Read, spans
from tests.documents.readers.pdf.test_breaks import CHINESE, FULL
from tests.documents.readers.pdf.test_parts import in_parts, write
from tests.documents.samples import Line

SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = (
    "if",
    "x",
    "=",
    "1",
    "2026",
    "print(i)",
    "{",
    "}",
    '"a b"',
    "a-",
    "-l",
    "foo_bar,",
    "*",
    "#!/bin/sh",
    "\\n",
    "`",
)
#: A character of Courier is this wide, in sizes of the font.
WIDTH = 0.6


@st.composite
def codes(draw: st.DrawFn) -> list[str]:
    """Lines of code: indented, aligned, with an empty line here and there; the first and the last one have letters."""
    chance = Random(draw(st.integers(0, 2**32)))

    def line() -> str:
        words = chance.choices(WORDS, k=chance.randint(1, 8))
        return " " * chance.choice([0, 0, 2, 4, 8]) + "".join(
            word + " " * chance.choice([1, 1, 1, 3, 6]) for word in words
        )

    lines = [line().rstrip() if at % 4 or chance.random() < 0.5 else "" for at in range(1, chance.randint(1, 20))]
    return ["import lib", *lines, chance.choice(["", "    "]) + "return il"]


def typed(code: list[str], size: float, placed: bool, first: float = 24) -> list[Line]:
    """The lines of a page; their spaces are places only, if `placed`, as TeX has it."""
    lines: list[Line] = []
    drop = first
    for text in code:
        if not text:
            drop += 1.2 * size
            continue
        at = 0
        for word in text.split() if placed else [text]:
            at = text.index(word, at)
            lines.append(Line(word, size, 90 + at * WIDTH * size, drop, typed=True))
            drop = 0
            at += len(word)
        drop = 1.2 * size
    return lines


@given(codes(), st.sampled_from([8, 10]), st.booleans(), st.sampled_from([FULL, CHINESE]))
@SETTINGS
def test_code_comes_back_as_it_was_set(tmp_path: Path, code: list[str], size: float, placed: bool, prose: str) -> None:
    path = write(tmp_path, samples.pdf([[prose, *typed(code, size, placed), Line(prose, drop=30)], [f"{FULL}."] * 40]))
    extracted = reader.read(path)
    wanted = "\n".join(["```", *code, "```"])
    assert spans(extracted, "code") == [wanted]
    assert extracted.text.startswith(f"{prose}\n\n{wanted}\n\n{prose}\n\n")
    assert in_parts(tmp_path, path, 1) == extracted


def test_a_single_line_and_a_word_of_code_are_prose(read: Read) -> None:
    made: list[Line | str] = [FULL, Line("tar -xvzf lib.tar", drop=20, typed=True), Line("Then take the", drop=20)]
    made += [Line("print", left=150, drop=0, typed=True), Line("command of it", left=190, drop=0)]
    made += ["and the", Line("list(i)", left=120, drop=0, typed=True), Line("command too.", left=170, drop=0)]
    extracted = read("a.pdf", samples.pdf([made]))
    assert spans(extracted, "code") == []
    assert "".join(extracted.text.split()).endswith("Thentaketheprintcommandofitandthelist(i)commandtoo.")


def test_lines_that_begin_and_end_with_code_are_prose(read: Read) -> None:
    made: list[Line | str] = [FULL, FULL]
    for _ in range(3):
        made += [Line("print(i)", typed=True), Line("stands before an iamb in", left=130, drop=0)]
        made.append(Line("list(i)", left=250, drop=0, typed=True))
    assert spans(read("a.pdf", samples.pdf([made])), "code") == []


def test_what_is_typed_throughout_is_prose(read: Read) -> None:
    lines = ["Dear Ada, this is a letter that was written on a", "typewriter, and not in a language for machines."]
    made = [Line(text, typed=True) for text in lines]
    assert read("a.pdf", samples.pdf([made])).text == " ".join(lines)


@pytest.mark.parametrize("numbers", [["1200", "300", "4500"], ["1 200", "2 300", "4 500"]])
def test_numbers_are_no_code(read: Read, numbers: list[str]) -> None:
    extracted = read("a.pdf", samples.pdf([[FULL, *(Line(number, left=200) for number in numbers)]]))
    assert spans(extracted, "code") == []


def test_english_in_a_font_for_chinese_is_no_code(read: Read) -> None:
    """Its letters are half as wide as a Chinese character, all of them."""
    made = [CHINESE, "员工 will live in little lilac villas", *[f"until 年 {at}" for at in range(3)], CHINESE]
    assert spans(read("a.pdf", samples.pdf([made])), "code") == []


def test_commands_apart_from_each_other_are_no_block(read: Read) -> None:
    made: list[Line | str] = [
        FULL,
        *(Line(f"--list-{at}=<file>", drop=19, typed=True) for at in range(3)),
        Line(FULL, drop=19),
    ]
    assert spans(read("a.pdf", samples.pdf([made])), "code") == []


def test_a_comment_in_chinese_is_a_line_of_code(read: Read) -> None:
    comment = [Line("#", left=72, typed=True), Line("注释", left=84, drop=0)]
    made: list[Line | str] = [FULL, Line("import lib", drop=24, typed=True), *comment, Line("print(lib)", typed=True)]
    assert spans(read("a.pdf", samples.pdf([made])), "code") == ["```\nimport lib\n# 注释\nprint(lib)\n```"]


def test_rows_of_typed_cells_are_no_code(read: Read) -> None:
    made = [
        Line(cell, left=72 + 150 * at, drop=0 if at else 18, typed=True)
        for row in (["name", "kind"], ["lib", "file"], ["list", "dir"])
        for at, cell in enumerate(row)
    ]
    text = read("a.pdf", samples.pdf([[FULL, FULL, *made]])).text
    assert [text.index(word) for word in ("lib", "file", "list", "dir")] == sorted(
        text.index(word) for word in ("lib", "file", "list", "dir")
    )
