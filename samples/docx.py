"""A Word document written by hand, part by part, stored without compression, which differs by zlib."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from html import escape

from samples.source import Block

DATE = "2026-11-24T00:00:00Z"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_WORD_PART = "application/vnd.openxmlformats-officedocument.wordprocessingml.{}+xml"
_NOTE = re.compile(r"\[\^(\d+)\]")

#: Word's built-in styles, by the level of a heading.
_STYLES = {0: "Normal", 1: "Title", 2: "Heading1", 3: "Heading2"}


def docx(blocks: Sequence[Block]) -> bytes:
    """Write headings, paragraphs, one numbered list, tables and footnotes, with the first heading as the title."""
    notes = [block.text for block in blocks if block.kind == "note"]
    body = "".join(_block(block) for block in blocks if block.kind != "note")
    page = '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr>'
    parts = {
        "[Content_Types].xml": _content_types(),
        "_rels/.rels": _relations(
            (f"{_OFFICE}/officeDocument", "word/document.xml"),
            (f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
        ),
        "docProps/core.xml": _properties(blocks[0].text),
        "word/_rels/document.xml.rels": _relations(
            *((f"{_OFFICE}/{name}", f"{name}.xml") for name in ("styles", "numbering", "footnotes"))
        ),
        "word/document.xml": f"<w:document {_WORD}><w:body>{body}{page}</w:body></w:document>",
        "word/styles.xml": _styles(),
        "word/numbering.xml": f'<w:numbering {_WORD}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0">'
        '<w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>',
        "word/footnotes.xml": _footnotes(notes),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            member = zipfile.ZipInfo(name, (2026, 11, 24, 0, 0, 0))
            member.create_system = 0  # else the system that this runs on
            archive.writestr(member, _DECLARATION + content)
    return out.getvalue()


def _block(block: Block) -> str:
    if block.kind == "table":
        return _table(block.rows)
    listed = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>' if block.kind == "item" else ""
    return _paragraph(block.text, _STYLES[block.level], listed)


def _paragraph(text: str, style: str = "Normal", properties: str = "", bold: bool = False) -> str:
    runs = []
    for index, part in enumerate(_NOTE.split(text)):
        if index % 2:
            runs.append(f'<w:r><w:footnoteReference w:id="{part}"/></w:r>')
        elif part:
            face = "<w:rPr><w:b/></w:rPr>" if bold else ""
            runs.append(f'<w:r>{face}<w:t xml:space="preserve">{escape(part, quote=False)}</w:t></w:r>')
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{properties}</w:pPr>{"".join(runs)}</w:p>'


def _table(rows: Sequence[Sequence[str]]) -> str:
    edges = "".join(
        f'<w:{edge} w:val="single" w:sz="4" w:color="808080"/>'
        for edge in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    grid = '<w:gridCol w:w="1800"/>' * len(rows[0])
    lines = "".join(
        "<w:tr>" + "".join(f"<w:tc>{_paragraph(cell, bold=not index)}</w:tc>" for cell in row) + "</w:tr>"
        for index, row in enumerate(rows)
    )
    return (
        f"<w:tbl><w:tblPr><w:tblBorders>{edges}</w:tblBorders></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{lines}</w:tbl>"
        + _paragraph("")
    )


def _styles() -> str:
    styles = ['<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>']
    for style, name, half_points in (
        ("Title", "Title", 48),
        ("Heading1", "heading 1", 34),
        ("Heading2", "heading 2", 26),
    ):
        styles.append(
            f'<w:style w:type="paragraph" w:styleId="{style}"><w:name w:val="{name}"/><w:basedOn w:val="Normal"/>'
            '<w:pPr><w:keepNext/><w:spacing w:before="240" w:after="120"/></w:pPr>'
            f'<w:rPr><w:b/><w:sz w:val="{half_points}"/></w:rPr></w:style>'
        )
    return f"<w:styles {_WORD}>{''.join(styles)}</w:styles>"


def _footnotes(notes: Sequence[str]) -> str:
    numbered = "".join(
        f'<w:footnote w:id="{number}">{_paragraph(note)}</w:footnote>' for number, note in enumerate(notes, 1)
    )
    return f"<w:footnotes {_WORD}>{numbered}</w:footnotes>"


def _content_types() -> str:
    kinds = {"document": "document.main", "styles": "styles", "numbering": "numbering", "footnotes": "footnotes"}
    overrides = "".join(
        f'<Override PartName="/word/{part}.xml" ContentType="{_WORD_PART.format(kind)}"/>'
        for part, kind in kinds.items()
    )
    return (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'{overrides}<Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
    )


def _relations(*relations: tuple[str, str]) -> str:
    elements = "".join(
        f'<Relationship Id="rId{number}" Type="{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(relations, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{elements}</Relationships>'


def _properties(title: str) -> str:
    return (
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(title)}</dc:title>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{DATE}</dcterms:created></cp:coreProperties>'
    )
