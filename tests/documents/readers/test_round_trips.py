"""A document of any blocks, written in any format, is read as the same text in the same order: nothing is lost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from random import Random
from textwrap import wrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.reading.extraction import extract
from documents.text import Extracted
from tests.documents import books, office, outlook, samples
from tests.documents.reading.test_decoding import DAILY

ENGLISH = ("leave", "of", "an", "employee", "who", "stays", "for", "five", "years", "is", "twenty", "days", "year")


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a list or a table: its kind and its lines, those of a table divided into two cells."""

    kind: str
    lines: list[str]

    @property
    def rows(self) -> list[list[str]]:
        return [[line[: len(line) // 2], line[len(line) // 2 :]] for line in self.lines]


@st.composite
def blocks(draw: st.DrawFn) -> list[Block]:
    """Blocks of text in Chinese and English; by a seed, since Hypothesis itself repeats few characters."""
    chance = Random(draw(st.integers(0, 2**32)))

    def line() -> str:
        if chance.random() < 0.5:
            return "".join(chance.choices(DAILY["zh"][:3755], k=chance.randint(4, 60))) + "。"
        return " ".join(chance.choices(ENGLISH, k=chance.randint(2, 15))) + chance.choice(
            ["", " & <more>", " 5 €", "."]
        )

    kinds = draw(st.lists(st.sampled_from(["heading", "paragraph", "list", "table"]), min_size=1, max_size=12))
    return [
        Block(kind, [line() for _ in range(chance.randint(2, 4) if kind in ("list", "table") else 1)]) for kind in kinds
    ]


def as_html(document: list[Block]) -> str:
    parts = []
    for block in document:
        lines = [escape(line) for line in block.lines]
        match block.kind:
            case "heading":
                parts.append(f"<h2>{lines[0]}</h2>")
            case "paragraph":
                parts.append(f"<p>{lines[0]}</p>")
            case "list":
                parts.append("<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>")
            case _:
                rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in block.rows)
                parts.append("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")
    return "".join(parts)


def as_docx(document: list[Block]) -> bytes:
    parts = []
    for block in document:
        match block.kind:
            case "heading":
                parts.append(samples.paragraph(block.lines[0], "1"))
            case "table":
                parts.append(samples.table(block.rows))
            case _:
                parts += map(samples.paragraph, block.lines)
    return samples.docx("".join(parts))


def as_odt(document: list[Block]) -> bytes:
    parts = []
    for block in document:
        lines = [escape(line) for line in block.lines]
        match block.kind:
            case "heading":
                parts.append(f'<text:h text:outline-level="2">{lines[0]}</text:h>')
            case "list":
                items = "".join(f"<text:list-item><text:p>{line}</text:p></text:list-item>" for line in lines)
                parts.append(f"<text:list>{items}</text:list>")
            case "table":
                rows = (
                    "".join(f"<table:table-cell><text:p>{escape(cell)}</text:p></table:table-cell>" for cell in row)
                    for row in block.rows
                )
                inner = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
                parts.append(f"<table:table>{inner}</table:table>")
            case _:
                parts.append(f"<text:p>{lines[0]}</text:p>")
    return books.odt("".join(parts))


def as_rtf(document: list[Block]) -> bytes:
    def encoded(text: str) -> str:
        return "".join(sign if sign.isascii() else f"\\u{ord(sign) - (ord(sign) > 32767) * 65536}?" for sign in text)

    parts = []
    for block in document:
        if block.kind == "table":
            parts += ["".join(f"\\intbl {encoded(cell)}\\cell " for cell in row) + "\\row\n" for row in block.rows]
        else:
            parts += [f"\\pard {encoded(line)}\\par\n" for line in block.lines]
    return ("{\\rtf1\\ansi\\uc1 " + "".join(parts) + "}").encode()


def as_pptx(document: list[Block]) -> bytes:
    slides = []
    for block in document:
        match block.kind:
            case "heading":
                slides.append(office.title(block.lines[0]))
            case "table":
                slides.append(office.grid(block.rows))
            case _:
                slides.append(office.content(block.lines))
    return office.pptx(slides)


def as_pdf(document: list[Block]) -> bytes:
    lines: list[samples.Line] = []
    for block in document:
        size = 14.0 if block.kind == "heading" else 8.0
        drop = 2.5 * size
        for row in block.rows if block.kind == "table" else [[line] for line in block.lines]:
            if len(row) == 2:
                left, right = row
                lines += [samples.Line(left, size, drop=drop), samples.Line(right, size, left=330, drop=0)]
                drop = 1.5 * size
                continue
            width = int(440 / size) if samples.is_chinese(row[0]) else int(800 / size)
            for part in wrap(row[0], width, break_on_hyphens=False):
                lines.append(samples.Line(part, size, drop=drop))
                drop = 1.2 * size
    pages: list[list[samples.Line]] = [[]]
    for line in lines:
        if sum(above.drop for above in pages[-1]) + line.drop > 700:
            pages.append([])
        pages[-1].append(line)
    return samples.pdf(pages)


def as_eml(document: list[Block]) -> bytes:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "制度 policy", "a@example.org", "b@example.org"
    mail.set_content("\n\n".join(line for block in document for line in block.lines))
    return mail.as_bytes()


def as_msg(document: list[Block]) -> bytes:
    text = "\r\n\r\n".join(line for block in document for line in block.lines)
    return outlook.compound(outlook.mail({0x0037: "制度 policy", 0x0C1A: "Ada", 0x1000: text}))


def as_csv(document: list[Block]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(
        [["id", "text"], *([n, line] for n, block in enumerate(document) for line in block.lines)]
    )
    return out.getvalue()


def as_markdown(document: list[Block]) -> str:
    mark = {"heading": "## ", "list": "- "}
    return "\n\n".join("\n".join(mark.get(block.kind, "") + line for line in block.lines) for block in document)


def as_org(document: list[Block]) -> str:
    parts = []
    for block in document:
        if block.kind == "table":
            parts += ["".join(f"| {cell} " for cell in row) + "|" for row in block.rows]
        else:
            parts += [{"heading": "** ", "list": "- "}.get(block.kind, "") + line for line in block.lines]
        parts.append("")
    return "\n".join(parts)


def as_rst(document: list[Block]) -> str:
    parts = []
    for block in document:
        match block.kind:
            case "heading":
                parts.append(f"{block.lines[0]}\n{'-' * 80}")
            case "table":
                rows = (
                    "".join(f"   {'-' if at else '* -'} {cell}\n" for at, cell in enumerate(row)) for row in block.rows
                )
                parts.append(".. list-table::\n\n" + "".join(rows).replace("\n   - ", "\n     - "))
            case "list":
                parts.append("\n".join(f"- {line}" for line in block.lines))
            case _:
                parts.append(block.lines[0])
    return "\n\n".join(parts)


def as_notebook(document: list[Block]) -> str:
    kinds = {"table": "code", "list": "raw"}
    cells = [
        {"cell_type": kinds.get(block.kind, "markdown"), "source": "\n".join(block.lines), "outputs": []}
        for block in document
    ]
    return json.dumps({"cells": cells, "nbformat": 4})


def as_subtitles(document: list[Block]) -> str:
    lines = [line for block in document for line in block.lines]
    return "\n\n".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{line}" for n, line in enumerate(lines, 1))


FORMATS: dict[str, Callable[[list[Block]], str | bytes]] = {
    "a.txt": lambda document: "\n".join(line for block in document for line in block.lines),
    "a.md": as_markdown,
    "a.html": lambda document: f"<!doctype html><meta charset=utf-8><body>{as_html(document)}</body>",
    "a.docx": as_docx,
    "a.odt": as_odt,
    "a.rtf": as_rtf,
    "a.epub": lambda document: books.epub({f"{n}.xhtml": as_html([block]) for n, block in enumerate(document)}),
    "a.pptx": as_pptx,
    "a.pdf": as_pdf,
    "a.xlsx": lambda document: office.xlsx(
        {f"s{n}": [list(row) for row in block.rows] for n, block in enumerate(document)}
    ),
    "a.xls": lambda document: office.xls({f"s{n}": block.rows for n, block in enumerate(document)}),
    "a.eml": as_eml,
    "a.msg": as_msg,
    "a.csv": as_csv,
    "a.org": as_org,
    "a.rst": as_rst,
    "a.ipynb": as_notebook,
    "a.srt": as_subtitles,
    "a.vtt": lambda document: f"WEBVTT\n\n{as_subtitles(document)}",
    "a.json": lambda document: json.dumps([block.lines for block in document], ensure_ascii=False),
    "a.jsonl": lambda document: "\n".join(json.dumps({"lines": block.lines}, ensure_ascii=False) for block in document),
}


def read(tmp_path_factory: pytest.TempPathFactory, name: str, data: str | bytes) -> Extracted:
    path = tmp_path_factory.mktemp("written") / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return extract(path, filename=name)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(written=blocks())
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, name: str, written: list[Block]) -> None:
    extracted = read(tmp_path_factory, name, FORMATS[name](written))
    pieces = [piece for block in written for row in block.rows for piece in row]
    text = squeezed(extracted.text)
    at = 0
    for piece in map(squeezed, pieces):
        place = text.find(piece, at)
        assert place >= 0, (piece, text[at : at + 200])
        at = place + len(piece)
    assert not any("U+FFFD" in warning for warning in extracted.warnings)


@pytest.mark.parametrize("name", ["a.html", "a.docx", "a.odt", "a.epub", "a.pptx", "a.org", "a.rst"])
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(written=blocks())
def test_structure_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, name: str, written: list[Block]
) -> None:
    extracted = read(tmp_path_factory, name, FORMATS[name](written))
    anchors = {
        kind: [extracted.text[anchor.start : anchor.end] for anchor in extracted.anchors if anchor.kind == kind]
        for kind in ("heading", "table")
    }
    headings = [block.lines[0] for block in written if block.kind == "heading"]
    assert [squeezed(heading.lstrip("# ")) for heading in anchors["heading"]] == [*map(squeezed, headings)]
    cells = [[squeezed("".join(row)) for row in block.rows] for block in written if block.kind == "table"]
    rows = [
        [squeezed(row.replace("|", "")) for row in table.split("\n") if "| --- |" not in row]
        for table in anchors["table"]
    ]
    assert rows == cells


def squeezed(text: str) -> str:
    """Text without its white space, which formats treat differently."""
    return "".join(text.split())
