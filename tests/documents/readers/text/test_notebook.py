"""Notebooks: Markdown keeps its structure, code and printed text are blocks of code, and pictures are left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from errors import TaskError
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans


def notebook(*cells: dict[str, Any], **metadata: Any) -> str:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def markdown(*lines: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": [f"{line}\n" for line in lines[:-1]] + [lines[-1]]}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "execution_count": 1, "outputs": list(outputs)}


def printed(*lines: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": list(lines)}


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_a_text_comes_back(read: Read, text: str) -> None:
    extracted = read("a.ipynb", notebook(markdown(text), {"cell_type": "raw", "source": text}, code(text)))
    assert extracted.text == f"{text}\n\n{text}\n\n```\n{text}\n```"
    assert extracted.format == "ipynb"


def test_markdown_keeps_its_headings_tables_and_code(read: Read) -> None:
    lines = ("# Leave", "", "| a | b |", "|---|---|", "| 1 | 2 |", "", "```", "x = 1", "```")
    extracted = read("a.ipynb", notebook(markdown("Before."), markdown(*lines), code("print(1)"), title="Days"))
    assert extracted.text == "Before.\n\n" + "\n".join(lines) + "\n\n```\nprint(1)\n```"
    assert headings(extracted) == [(1, "Leave")]
    assert spans(extracted, "heading") == ["# Leave"]
    assert spans(extracted, "table") == ["| a | b |\n|---|---|\n| 1 | 2 |"]
    assert spans(extracted, "code") == ["```\nx = 1\n```", "```\nprint(1)\n```"]
    assert extracted.properties == {"title": "Days"}


def test_a_line_of_dashes_opens_no_front_matter(read: Read) -> None:
    extracted = read("a.ipynb", notebook(markdown("---", "# Leave", "---")))
    assert headings(extracted) == [(1, "Leave")]


def test_what_was_printed_follows_its_code_without_pictures_and_colours(read: Read) -> None:
    figure = {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": "<Figure size 640x480>"}}
    result = {"output_type": "execute_result", "data": {"text/html": "<b>15</b>", "text/plain": ["15", "\n"]}}
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'leave'", "traceback": ["\x1b[0;31mTraceback"]}
    bar = printed("  0%|    |\r 50%|##  |\r100%|####|\n", "\x1b[32mdone\x1b[0m\n")
    extracted = read("a.ipynb", notebook(code("a", bar, figure), code("b", result), code("c", error)))
    assert extracted.text == (
        "```\na\n```\n\n```\n100%|####|\ndone\n```\n\n"
        "```\nb\n```\n\n```\n15\n```\n\n```\nc\n```\n\n```\nKeyError: 'leave'\n```"
    )


def test_pictures_within_the_text_are_left_out(read: Read) -> None:
    assert read("a.ipynb", notebook(markdown("![plan](data:image/png;base64,iVBOR==) Text"))).text == "![plan]() Text"


def test_notebooks_of_format_3_are_read(read: Read) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Leave"]},
        {"cell_type": "code", "input": ["x"], "outputs": [{"output_type": "pyout", "text": ["15"]}]},
    ]
    extracted = read("a.ipynb", json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}))
    assert extracted.text == "## Leave\n\n```\nx\n```\n\n```\n15\n```"
    assert headings(extracted) == [(2, "Leave")]


def test_a_notebook_is_recognised_without_a_name(read: Read) -> None:
    assert read(None, notebook(markdown("Text"))).format == "ipynb"
    assert read(None, '{"cellar": 1}').format == "json"
    assert read(None, '{"cells": [{"row": 1}]}').format == "json"


@pytest.mark.parametrize("data", ["{", "[]", '{"cells": 1}', "[" * 100_000, "null"])
def test_what_is_no_notebook_is_corrupt(read: Read, data: str) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.ipynb", data)
    assert caught.value.code == "corrupt"


def test_cells_of_any_other_kind_harm_nobody(read: Read) -> None:
    odd = [1, None, {}, {"cell_type": "code", "source": 1, "outputs": [1, {}, {"data": {"text/plain": {"a": 1}}}]}]
    assert read("a.ipynb", json.dumps({"cells": [*odd, markdown("Text \ud800")]})).text == "Text \ufffd"
