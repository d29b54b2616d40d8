"""RTF: text in every code page, headings, lists, tables and notes, and nothing of what is no text."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import TaskError
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans

FONTS = (
    r"{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\fnil\fcharset134 SimSun;}{\f2\fcharset204 Times;}"
    r"{\f3\fmodern\fcharset0\fprq1 Letters;}{\f4{\*\panose 02}DejaVu Sans Mono;}{\f5 Consolas{\*\falt X};}"
    r"{\f6\fmodern\fcharset134\fprq1 SimHei;}{\f7\fmodern\fcharset128 MS Mincho;}}"
)
STYLES = (
    r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}{\s3 Title;}{\*\cs10 Char;}"
    r"{\s4 HTML Preformatted;}}"
)


def rtf(body: str, page: int = 1252) -> bytes:
    """A document with a body in RTF's own words."""
    return rf"{{\rtf1\ansi\ansicpg{page}\deff0{FONTS}{STYLES}{body}}}".encode("ascii")


def escaped(text: str) -> str:
    return "".join("\\" + sign if sign in "\\{}" else sign for sign in text)


def as_unicode(text: str) -> str:
    """Every character above ASCII as its number in UTF-16, with a question mark for old readers."""
    units = text.encode("utf-16-le")
    pairs = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
    return "".join(escaped(chr(unit)) if 0 <= unit < 128 else rf"\u{unit}?" for unit in pairs)


def as_bytes(text: str, encoding: str) -> str:
    """Every character above ASCII as bytes of a code page."""
    return "".join(escaped(chr(b)) if b < 128 else rf"\'{b:02x}" for b in text.encode(encoding))


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, "a\\b{c}d"])
def test_a_text_comes_back_by_its_numbers(read: Read, text: str) -> None:
    extracted = read("a.rtf", rtf(rf"\pard {as_unicode(text)}\par"))
    assert extracted.text == text
    assert extracted.format == "rtf"


@pytest.mark.parametrize(
    ("text", "body", "page"),
    [
        ("员工手册镕“假期”", as_bytes("员工手册镕“假期”", "gbk"), 936),
        ("員工手冊", as_bytes("員工手冊", "cp950"), 950),
        ("員工手册", r"\f1 " + as_bytes("員工手册", "gbk"), 1252),
        ("Привет, café", r"{\f2 " + as_bytes("Привет", "cp1251") + r"}, caf\'e9", 1252),
        ("“Übergröße” €5", as_bytes("“Übergröße” €5", "cp1252"), 1252),
    ],
)
def test_a_text_comes_back_by_the_bytes_of_its_code_page(read: Read, text: str, body: str, page: int) -> None:
    extracted = read("a.rtf", rtf(body, page))
    assert extracted.text == text
    assert extracted.warnings == []


def test_what_stands_for_a_character_in_old_readers_is_not_read_twice(read: Read) -> None:
    body = r"\uc2\u20013\'d6\'d0{\uc0\u25991}\u25991\'ce\'c4!\uc1\u20013 ?x"
    assert read("a.rtf", rtf(body, 936)).text == "中文文!中x"
    assert read("a.rtf", rtf(r"{\upr{old}{\*\ud{\u20013?}}} x")).text == "中 x"


def test_headings_by_outline_style_and_name(read: Read) -> None:
    body = r"\pard\s3 Handbook\par\pard\s1 Leave\par\pard\s2 Details\par\pard\outlinelevel2 Deep\par\pard Text.\par"
    extracted = read("a.rtf", rtf(body))
    assert extracted.text == "# Handbook\n\n# Leave\n\n## Details\n\n### Deep\n\nText."
    assert headings(extracted) == [(0, "Handbook"), (1, "Leave"), (2, "Details"), (3, "Deep")]


def test_lists_tables_signs_and_line_ends(read: Read) -> None:
    listed = r"{\listtext\f2\'b7\tab}one\par{\pntext 2.\tab}two\par"
    cells = r"\trowd\pard\intbl A\cell B|C\cell\row\trowd\intbl 1\par 2\cell\cell\row\pard "
    extracted = read("a.rtf", rtf(listed + cells + r"a\tab b\line c\emdash\~d\_e\-f" + "\\\nlast"))
    assert extracted.text == ("- one\n2. two\n\n| A | B\\|C |\n| --- | --- |\n| 1 2 |  |\n\na\tb\nc—\u00a0d-ef\n\nlast")
    assert spans(extracted, "table") == ["| A | B\\|C |\n| --- | --- |\n| 1 2 |  |"]


#: How programs write an item of a list: its label, its depth from 0 and its text.
DIALECTS: dict[str, Callable[[str, int, str], str]] = {
    "Word": lambda label, depth, text: (
        rf"\pard\plain {{\listtext\pard\plain\f2 {label}\tab}}\li{720 * (depth + 1)}\ilvl{depth}\ls1 {text}\par"
    ),
    "Word 6": lambda label, depth, text: (
        rf"\pard {{\pntext\f2 {label}\tab}}{{\*\pn\pnlvl{depth + 1}\pndec{{\pntxta .}}}}{text}\par"
    ),
    "WordPad": lambda label, depth, text: (
        rf"\pard{{\pntext\f2 {label}\tab}}{{\*\pn\pnlvlblt\pnf2}}\fi-360\li{720 + 500 * depth} {text}\par"
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(-3, 1), st.sampled_from(["1.", "a)", r"\'b7", "o", r"\u9679?"])), max_size=12)
)
def test_lists_in_lists_are_as_deep_as_they_were(read: Read, dialect: str, steps: list[tuple[int, str]]) -> None:
    body, lines, depth = "", [], 0
    for number, (step, label) in enumerate([(0, "1."), *steps]):
        depth = max(depth + step, 0)
        body += DIALECTS[dialect](label, depth, f"item {number}") + "\n"
        lines.append(f"{'  ' * depth}{label if label in ('1.', 'a)') else '-'} item {number}")
    extracted = read("a.rtf", rtf(rf"\pard Before.\par {body}\pard After.\par"))
    assert extracted.text == "\n\n".join(["Before.", "\n".join(lines), "After."])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(
        st.tuples(
            st.sampled_from(["prose", "code"]), st.lists(st.sampled_from(["def f():", "    x = 1 # 一", "", "}"]))
        ),
        max_size=6,
    ),
    style=st.sampled_from([r"\s4 ", r"\f3 ", r"\f5 ", r"{\f4 "]),
)
def test_paragraphs_in_a_typeface_or_a_style_of_code_are_blocks_of_it(
    read: Read, blocks: list[tuple[str, list[str]]], style: str
) -> None:
    body, wanted = r"\pard\plain Prose, of which there is enough to tell that code is none.\par" * 4, []
    for kind, lines in blocks:
        if kind == "prose":
            body += r"\pard\plain Prose with {\f3 code} in it.\par" + "\n"
        else:
            end = "}" if style.startswith("{") else ""
            body += "".join(rf"\pard\plain {style}{as_unicode(line)}\par{end}" + "\n" for line in lines)
    for kind, group in groupby(blocks, key=lambda block: block[0]):
        code = "\n".join(line for _, lines in group for line in lines).strip("\n")
        if kind == "code" and code.strip():
            wanted.append(f"```\n{code}\n```")
    extracted = read("a.rtf", rtf(body))
    assert spans(extracted, "code") == wanted
    assert extracted.text.count("Prose with code in it.") == sum(kind == "prose" for kind, _ in blocks)


@pytest.mark.parametrize("font", [r"\f0", r"\f6", r"\f7"])
def test_a_typeface_that_is_none_of_code_tells_none(read: Read, font: str) -> None:
    assert spans(read("a.rtf", rtf(rf"\pard {font} Prose.\par \pard\f2 Most of it.\par")), "code") == []


def test_a_document_that_is_typed_in_one_typeface_is_no_code(read: Read) -> None:
    assert read("a.rtf", rtf(r"\pard\f3 INT. KITCHEN\par \pard Morning.\par")).text == "INT. KITCHEN\n\nMorning."


def test_a_footnote_leaves_the_heading_a_heading_that_it_is_in(read: Read) -> None:
    extracted = read("a.rtf", rtf(r"\pard\s1 Leave{\footnote\pard\plain\s0 Note.} of absence\par"))
    assert headings(extracted) == [(1, "Leave[^1] of absence")]


def test_groups_without_text_are_skipped_and_those_with_text_are_not(read: Read) -> None:
    body = (
        r"{\info{\title The Title}{\author Me}{\keywords a, b}{\creatim\yr2024\mo3\dy5\hr9}{\revtim\yr2024}}"
        r"{\header page head}{\*\unknown secret{deeper}}"
        r"{\pict\bin5 }}}}}{\*\x}ff00}"
        r"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}} {\deleted gone}"
        r"{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt box\par}}"
        r"noted{\footnote\chftn  The note.\par} end{\*\bkmkstart mark}"
    )
    extracted = read("a.rtf", rtf(body))
    assert extracted.text == "link box\n\nnoted[^1] end\n\n[^1]: The note."
    assert extracted.properties == {
        **{"title": "The Title", "author": "Me", "keywords": "a, b", "created": "2024-03-05"}
    }


def test_bytes_that_are_no_character_are_told(read: Read) -> None:
    extracted = read("a.rtf", rtf(r"\f1 good\'81\'20", 936))
    assert extracted.text == "good\ufffd"
    assert "broken" in extracted.warnings[0]


def test_many_groups_need_no_stack(read: Read) -> None:
    assert read("a.rtf", rtf("{" * 100_000 + "deep" + "}" * 100_000)).text == "deep"


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("empty", rtf(r"\pard\par")),
        ("corrupt", rtf(r"\pard some text\par {more")),
        ("corrupt", rtf(r"\pard some text\par")[:-1]),
        ("corrupt", b"No RTF at all."),
    ],
)
def test_it_refuses_with_the_right_code(read: Read, code: str, data: bytes) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.rtf", data)
    assert caught.value.code == code


def test_rtf_is_known_by_its_bytes(read: Read) -> None:
    extracted = read("letter.doc", rtf("Text"))
    assert (extracted.format, extracted.text) == ("rtf", "Text")
    assert "was read as rtf" in read("letter.docx", rtf("Text")).warnings[0]
