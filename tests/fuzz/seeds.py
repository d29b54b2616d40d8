"""A small valid file of each format, from which mutation and fuzzing begin."""

from __future__ import annotations

from tests.documents import samples
from tests.documents.reading.test_extraction import IMAGES
from tests.documents.reading.test_extraction import SEEDS as _FILES
from tests.documents.samples import Line, Stroke

#: A ruled table, code, and a sentence that runs over the end of the page.
_PAGES: list[list[Line | str | Stroke]] = [
    [
        *(Stroke(72, height, 272, height) for height in (700, 720, 740, 760)),
        *(Stroke(left, 700, left, 760) for left in (72, 172, 272)),
        *(Line("Name", left=76, drop=34), Line("Number of it", left=176, drop=0)),
        *(Line("Ada", left=76, drop=20), Line("first", left=176, drop=0)),
        *(Line("Grace", left=76, drop=20), Line("second", left=176, drop=0)),
        *(Line("if one:", drop=30, typed=True), Line("    print(it)", typed=True)),
        Line("This is a line of text that goes on with the next page and does not end on this one, but in-", drop=24),
    ],
    ["stead on that one.", "员工每年享有十五天年假"],
]

#: By format: file names and their bytes.
SEEDS: dict[str, dict[str, bytes]] = {
    **{name.partition(".")[2]: {name: data} for name, data in (_FILES | IMAGES).items()},
    "txt": {
        "utf-8.txt": "Plain text. 纯文本，没有标题。\n\n第二段。".encode(),
        "gb18030.txt": "员工每年享有十五天年假。请假须提前申请。".encode("gb18030"),
        "utf-16.txt": "Leave 年假\r\n".encode("utf-16"),
    },
}

#: What fuzzing begins with besides.
FURTHER: dict[str, dict[str, bytes]] = {"pdf": {"rich.pdf": samples.pdf(_PAGES)}}
