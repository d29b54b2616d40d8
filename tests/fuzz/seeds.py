"""A small valid file of each format, from which mutation and fuzzing begin."""

from __future__ import annotations

from tests.documents.test_extraction import SEEDS as _FILES

#: By format: file names and their bytes.
SEEDS: dict[str, dict[str, bytes]] = {
    **{name.partition(".")[2]: {name: data} for name, data in _FILES.items()},
    "txt": {
        "utf-8.txt": "Plain text. 纯文本，没有标题。\n\n第二段。".encode(),
        "gb18030.txt": "员工每年享有十五天年假。请假须提前申请。".encode("gb18030"),
        "utf-16.txt": "Leave 年假\r\n".encode("utf-16"),
    },
}
