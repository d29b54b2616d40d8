"""Presentations and workbooks made by hand, part by part."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from html import escape

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
_NAMESPACES = (
    f'xmlns:a="{_DRAWING}/main" xmlns:r="{_OFFICE}/relationships" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)


def package(members: Mapping[str, str | bytes]) -> bytes:
    """A zip file with the given parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def types(part: str, kind: str) -> str:
    """The list of types of a document whose main part is of a kind."""
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Override PartName="/{part}" '
        f'ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
    )


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """A part's relations: for each id its kind and its target."""
    inner = "".join(
        f'<Relationship Id="{identifier}" Type="{_OFFICE}/relationships/{kind}" Target="{target}"/>'
        for identifier, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def run(text: str, properties: str = "") -> str:
    """A paragraph of a slide."""
    return f"<a:p>{properties}<a:r><a:rPr/><a:t>{escape(text)}</a:t></a:r></a:p>"


def shape(paragraphs: str, placeholder: str | None = None) -> str:
    """A shape of a slide; `placeholder` holds the attributes that make it one."""
    mark = "" if placeholder is None else f"<p:ph {placeholder}/>"
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="1" name="s"/><p:nvPr>{mark}</p:nvPr></p:nvSpPr>'
        f"<p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp>"
    )


def title(text: str) -> str:
    """The title of a slide."""
    return shape(run(text), 'type="title"')


def content(lines: Sequence[str]) -> str:
    """The content of a slide, one paragraph a line."""
    return shape("".join(map(run, lines)), 'idx="1"')


def grid(rows: Sequence[Sequence[str]]) -> str:
    """A table on a slide."""
    cells = ("".join(f"<a:tc><a:txBody>{run(cell)}</a:txBody></a:tc>" for cell in row) for row in rows)
    inner = "".join(f"<a:tr>{row}</a:tr>" for row in cells)
    return (
        f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{inner}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )


def points(kind: str, values: Sequence[str], code: str | None = None) -> str:
    """What a chart remembers of the cells that it refers to; a kind is `str` or `num`."""
    inner = "".join(f'<c:pt idx="{at}"><c:v>{escape(value)}</c:v></c:pt>' for at, value in enumerate(values))
    shown = f"<c:formatCode>{code}</c:formatCode>" if code else ""
    return f"<c:{kind}Ref><c:f>S!A1</c:f><c:{kind}Cache>{shown}{inner}</c:{kind}Cache></c:{kind}Ref>"


def chart(title: str, labels: Sequence[str], series: Mapping[str, Sequence[str]], code: str = "General") -> str:
    """The part of a chart: its title, what stands below its bars, and the figures of each series."""
    bars = "".join(
        f"<c:ser><c:tx>{points('str', [name])}</c:tx><c:cat>{points('str', labels)}</c:cat>"
        f"<c:val>{points('num', values, code)}</c:val></c:ser>"
        for name, values in series.items()
    )
    head = f"<c:title><c:tx><c:rich>{run(title)}</c:rich></c:tx></c:title>"
    return (
        f'<c:chartSpace xmlns:c="{_DRAWING}/chart" xmlns:a="{_DRAWING}/main"><c:chart>{head}'
        f"<c:plotArea><c:barChart>{bars}</c:barChart></c:plotArea></c:chart></c:chartSpace>"
    )


def pptx(
    slides: Sequence[str], notes: Mapping[int, str] | None = None, more: Mapping[str, str | bytes] | None = None
) -> bytes:
    """A presentation whose slides hold the given shapes; the files of the slides are numbered from behind."""
    listed, targets = "", {}
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": types("ppt/presentation.xml", "presentationml.presentation"),
        "_rels/.rels": relations({"r": ("officeDocument", "ppt/presentation.xml")}),
    }
    for number, shapes in enumerate(slides, 1):
        file = f"slide{len(slides) + 1 - number}.xml"
        listed += f'<p:sldId id="{255 + number}" r:id="rId{number}"/>'
        targets[f"rId{number}"] = ("slide", f"slides/{file}")
        members[f"ppt/slides/{file}"] = f"<p:sld {_NAMESPACES}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
        if notes and number in notes:
            body = shape(run(str(number)), 'type="sldNum"') + shape(run(notes[number]), 'type="body" idx="1"')
            page = f"<p:notes {_NAMESPACES}><p:cSld><p:spTree>{body}</p:spTree></p:cSld></p:notes>"
            members[f"ppt/notesSlides/{file}"] = page
            members[f"ppt/slides/_rels/{file}.rels"] = relations({"n": ("notesSlide", f"../notesSlides/{file}")})
    main = f"<p:presentation {_NAMESPACES}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    members["ppt/presentation.xml"] = main
    members["ppt/_rels/presentation.xml.rels"] = relations(targets)
    return package({**members, **(more or {})})


#: A cell of a workbook: a text, a number, or a number with the index of its style.
Cell = str | float | tuple[float, int] | None
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _cell(reference: str, value: Cell, shared: list[str] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return f'<c r="{reference}" s="{value[1]}"><v>{value[0]}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{reference}"><v>{value}</v></c>'
    if shared is None:
        return f'<c r="{reference}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    shared.append(value)
    return f'<c r="{reference}" t="s"><v>{len(shared) - 1}</v></c>'


def sheet(rows: Sequence[Sequence[Cell]], shared: list[str] | None = None) -> str:
    """The XML of a sheet; its texts go into `shared`, or stand in their cells."""
    inner = ""
    for number, row in enumerate(rows, 1):
        cells = "".join(_cell(f"{chr(65 + at)}{number}", value, shared) for at, value in enumerate(row))
        inner += f'<row r="{number}">{cells}</row>'
    return f'<worksheet xmlns="{_SHEETS}"><sheetData>{inner}</sheetData></worksheet>'


def xlsx(
    sheets: Mapping[str, Sequence[Sequence[Cell]]],
    formats: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    inline: bool = False,
    since_1904: bool = False,
) -> bytes:
    """A workbook. Style 14 shows a date; 100 and those after it show what `formats` say."""
    shared: list[str] | None = None if inline else []
    listed, targets, members = "", {"s": ("styles", "styles.xml"), "t": ("sharedStrings", "sharedStrings.xml")}, {}
    for number, (name, rows) in enumerate(sheets.items(), 1):
        listed += f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        targets[f"rId{number}"] = ("worksheet", f"worksheets/sheet{number}.xml")
        members[f"xl/worksheets/sheet{number}.xml"] = sheet(rows, shared)
    own = "".join(f'<numFmt numFmtId="{200 + at}" formatCode="{escape(code)}"/>' for at, code in enumerate(formats))
    styles = [*range(100), *range(200, 200 + len(formats))]
    cells = "".join(f'<xf numFmtId="{number}"/>' for number in styles)
    strings = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared or ())
    return package(
        {
            "[Content_Types].xml": types("xl/workbook.xml", "spreadsheetml.sheet"),
            "_rels/.rels": relations({"r": ("officeDocument", "xl/workbook.xml")}),
            "xl/workbook.xml": f'<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}/relationships">'
            f'<workbookPr date1904="{since_1904:d}"/><sheets>{listed}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relations(targets),
            "xl/styles.xml": f"<styleSheet><numFmts>{own}</numFmts><cellXfs>{cells}</cellXfs></styleSheet>",
            "xl/sharedStrings.xml": f'<sst xmlns="{_SHEETS}">{strings}</sst>',
            **members,
            **(more or {}),
        }
    )


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A file in the container of old office programs (MS-CFB), with the given streams one after another."""
    sector, last, free, table = 512, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    padded = {name: data.ljust(4096, b"\0") for name, data in streams.items()}  # shorter ones would lie elsewhere
    chains: list[int] = [table, last]  # the first sector holds this table itself, the second one the directory
    entries = _entry("Root Entry", 5, last, 0, child=1)
    body = b""
    for at, (name, data) in enumerate(padded.items(), 1):
        start, count = len(chains), -(-len(data) // sector)
        chains += [*range(start + 1, start + count), last]
        entries += _entry(name, 2, start, len(data), right=at + 1 if at < len(padded) else free)
        body += data.ljust(count * sector, b"\0")
    assert len(chains) <= sector // 4, "larger files need more than one table"
    assert len(padded) < 4
    head = struct.pack("<8s16xHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", *(0x3E, 3, 0xFFFE, 9, 6),
                       *(0, 1, 1, 0, 4096, last, 0, last, 0))  # fmt: skip
    head += struct.pack("<I", 0) + struct.pack("<I", free) * 108
    tables = b"".join(struct.pack("<I", link) for link in chains).ljust(sector, b"\xff")
    return head + tables + entries.ljust(sector, b"\0") + body


def _entry(name: str, kind: int, start: int, size: int, *, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF) -> bytes:
    raw = name.encode("utf-16-le")
    links = struct.pack("<BBIII", kind, 1, 0xFFFFFFFF, right, child)
    return raw.ljust(64, b"\0") + struct.pack("<H", len(raw) + 2) + links + bytes(36) + struct.pack("<IQ", start, size)


def xls(sheets: Mapping[str, Sequence[Sequence[Cell]]], formats: Sequence[str] = ()) -> bytes:
    """A workbook of Excel 97; of the styles the first is general, the second a date, then those of `formats`."""

    def record(kind: int, data: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def text(value: str, width: str) -> bytes:
        return struct.pack(f"<{width}B", len(value.encode("utf-16-le")) // 2, 1) + value.encode("utf-16-le")

    strings: list[str] = []
    bodies = []
    for rows in sheets.values():
        body = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    body += record(0x00FD, struct.pack("<HHHI", number, column, 0, len(strings)))
                    strings.append(value)
                elif value is not None:
                    figure, style = value if isinstance(value, tuple) else (value, 0)
                    body += record(0x0203, struct.pack("<HHHd", number, column, style, figure))
        bodies.append(body + record(0x000A))
    start = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0)) + record(0x0042, struct.pack("<H", 1200))
    start += record(0x0031, struct.pack("<HHHHHBBBB", 200, 0, 0, 400, 0, 0, 0, 0, 0) + text("Arial", "B"))
    start += b"".join(record(0x041E, struct.pack("<H", 164 + at) + text(code, "H")) for at, code in enumerate(formats))
    for style in (0, 14, *range(164, 164 + len(formats))):
        start += record(0x00E0, struct.pack("<HHH", 0, style, 1) + bytes(14))
    end = record(
        0x00FC, struct.pack("<II", len(strings), len(strings)) + b"".join(text(string, "H") for string in strings)
    )
    end += record(0x000A)
    names = [text(name, "B") for name in sheets]
    offset = len(start) + sum(len(record(0x0085, bytes(6) + name)) for name in names) + len(end)
    for name, body in zip(names, bodies, strict=True):
        start += record(0x0085, struct.pack("<IBB", offset, 0, 0) + name)
        offset += len(body)
    return compound({"Workbook": start + end + b"".join(bodies)})
