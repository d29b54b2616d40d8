"""Presentations and workbooks made by hand, part by part."""

from __future__ import annotations

import io
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


def pptx(slides: Sequence[str], notes: Mapping[int, str] | None = None, more: Mapping[str, str] | None = None) -> bytes:
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
