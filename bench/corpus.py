"""The documents that docs/documents.md tells of, made anew: `.venv-bench/bin/python -m bench.corpus DIR`, on Debian.

Manuals as Debian's packages have them (PDF, EPUB), each beside its text; and files that python-docx, python-pptx and
openpyxl make of two of these texts, or that are plain HTML, beside exactly what was written into them. Nothing of ours
takes part.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path

import docx
import openpyxl
import pptx

#: What is taken of Debian's packages; each has a text of the same name beside it.
MANUALS = {
    "debmake-doc": ("debmake-doc.en.pdf", "debmake-doc.zh-cn.pdf", "debmake-doc.en.epub", "debmake-doc.zh-cn.epub"),
    "developers-reference": ("developers-reference.pdf",),
    "maint-guide-zh-cn": ("maint-guide.zh-cn.pdf",),
    "debian-policy": ("policy.epub",),
}
#: The texts of which the other files are made.
MADE_OF = ("policy", "maint-guide.zh-cn")
#: What heads a section in these texts: a number, or a line of signs below it.
_HEADING = re.compile(r"(?:\d+\.)+ \S.*")
_RULE = re.compile(r"[*=\-^~]{3,}")
_ITEM = re.compile(r"\* |\d+\. ")
_SLIDE = 4


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, an item of a list or a paragraph, in one line."""

    kind: str
    text: str


def fetch(package: str, folder: Path) -> Path:
    """Unpack a package of Debian's below a folder. Returns where its documents are."""
    subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
    (file,) = folder.glob(f"{package}_*.deb")
    subprocess.run(["dpkg-deb", "-x", file, folder / package], check=True)
    return folder / package / "usr" / "share"


def take(share: Path, document: str, target: Path) -> None:
    """Put a document of a package, and its text, into the folder of documents."""
    text = Path(document).with_suffix(".txt")
    file, packed = (next(share.rglob(name)) for name in (document, f"{text}.gz"))
    shutil.copyfile(file, target / document)
    (target / text).write_bytes(gzip.decompress(packed.read_bytes()))


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a manual, its lines put together."""
    for part in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in part.splitlines() if line.strip()]
        if (len(lines) == 2 and _RULE.fullmatch(lines[1])) or (len(lines) == 1 and _HEADING.fullmatch(lines[0])):
            yield Block("heading", lines[0])
        elif lines and not _RULE.fullmatch("".join(lines)):
            line = " ".join(lines)
            item = _ITEM.match(line)
            yield Block("item" if item else "paragraph", line[item.end() :] if item else line)


def rows(manual: list[Block]) -> list[list[str]]:
    """Return the items of a manual as a table of two columns, the first of which counts them."""
    items = [block.text for block in manual if block.kind == "item"]
    return [["No.", "Item"], *([f"{number}.", item] for number, item in enumerate(items, 1))]


def make_docx(manual: list[Block], path: Path) -> str:
    """Make a Word document: headings, lists, and all items as a table. Returns what was written."""
    document = docx.Document()
    styles = {"heading": "Heading 1", "item": "List Bullet", "paragraph": "Normal"}
    for block in manual:
        document.add_paragraph(block.text, styles[block.kind])
    cells = rows(manual)[:200]
    table = document.add_table(len(cells), 2)
    for row, texts in zip(table.rows, cells, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.save(str(path))
    return "\n\n".join([*(block.text for block in manual), *(" ".join(texts) for texts in cells)])


def make_pptx(manual: list[Block], path: Path) -> str:
    """Make a presentation: a few blocks to a slide, the last of them in its notes. Returns what was written."""
    show = pptx.Presentation()
    written = []
    turn = iter(manual)
    while slide := list(islice(turn, _SLIDE)):
        title, *body = [block.text for block in slide]
        page = show.slides.add_slide(show.slide_layouts[1])
        page.shapes.title.text = title
        page.placeholders[1].text = "\n".join(body[:-1])
        page.notes_slide.notes_text_frame.text = "".join(body[-1:])
        written += [title, *body]
    show.save(str(path))
    return "\n\n".join(written)


def make_xlsx(manual: list[Block], path: Path) -> str:
    """Make a workbook: a row for each block. Returns what was written."""
    book = openpyxl.Workbook()
    cells = [["kind", "text"], *([block.kind, block.text] for block in manual if not block.text.startswith("="))]
    for texts in cells:
        book.active.append(texts)
    book.save(path)
    return "\n".join(" ".join(texts) for texts in cells)


def make_html(manual: list[Block], path: Path) -> str:
    """Make a page without anything around its text. Returns what was written."""
    tags = {"heading": "h1", "item": "li", "paragraph": "p"}
    body = "\n".join(f"<{tags[block.kind]}>{escape(block.text)}</{tags[block.kind]}>" for block in manual)
    path.write_text(f"<!doctype html><meta charset=utf-8><title>Manual</title><body>\n{body}\n", encoding="utf-8")
    return "\n\n".join(block.text for block in manual)


MAKERS = {".docx": make_docx, ".pptx": make_pptx, ".xlsx": make_xlsx, ".html": make_html}


def main() -> None:
    """Make the folder of documents."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    target = parser.parse_args().folder
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="manuals-") as folder:
        for package, documents in MANUALS.items():
            share = fetch(package, Path(folder))
            for document in documents:
                take(share, document, target)
    for name in MADE_OF:
        manual = list(blocks((target / f"{name}.txt").read_text(encoding="utf-8")))
        for suffix, make in MAKERS.items():
            path = target / f"made-{suffix[1:]}-{name}{suffix}"
            path.with_suffix(".txt").write_text(make(manual, path), encoding="utf-8")


if __name__ == "__main__":
    main()
