"""reStructuredText: titles, lists, literal blocks and tables of every kind, and nothing that steers a build."""

from __future__ import annotations

import pytest

from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, f"{ENGLISH}\n{CHINESE}"])
def test_a_text_comes_back(read: Read, text: str) -> None:
    extracted = read("a.rst", f"{text}\n")
    assert (extracted.text, extracted.format) == (text, "rst")
    assert read("a", text, "text/x-rst").format == "rst"


def test_titles_have_the_levels_of_their_adornments(read: Read) -> None:
    extracted = read(
        "a.rst",
        "====\n手册\n====\n\n:Author: Ada\n\nLeave\n=====\n\n"
        "Text.\n\n`Days`_\n-------\n\n----\n\nMore\n====\nText.\n\nNo\n-\n",
    )
    assert headings(extracted) == [(1, "手册"), (2, "Leave"), (3, "Days"), (2, "More")]
    assert extracted.text == ("# 手册\n\n:Author: Ada\n\n## Leave\n\nText.\n\n### Days\n\n## More\n\nText.\n\nNo\n-")
    assert extracted.properties == {"author": "Ada"}


def test_lists_keep_their_lines(read: Read) -> None:
    text = "- one\n  goes on\n- two\n\n1. a\n2. b\n\nTerm\n    What it is."
    assert read("a.rst", text).text == text


def test_literal_blocks_end_where_their_paragraph_goes_on(read: Read) -> None:
    extracted = read(
        "a.rst",
        "So::\n\n    a\n      b\n\n    c\n\nThen ::\n\n  d\n\n::\n\n  e\n\n- item\n  as in::\n\n    f\n\n"
        "  goes on\n\n- next::\n\n  no code\n",
    )
    assert spans(extracted, "code") == [
        "```\na\n  b\n\nc\n```",
        "```\nd\n```",
        "```\ne\n```",
        "```\nf\n```",
    ]
    assert extracted.text.startswith("So:\n\n```")
    assert "\n\nThen\n\n```" in extracted.text
    assert extracted.text.endswith("```\n\ngoes on\n\n- next:\n\nno code")


def test_directives_of_code_are_code_and_others_are_read(read: Read) -> None:
    extracted = read(
        "a.rst",
        ".. code-block:: python\n   :linenos:\n\n   def f():\n       return 1\n\n.. note:: Ask first.\n   Then\n\n"
        "   .. code::\n\n      x\n\n"
        ".. function:: leave(days)\n\n   Take it.\n\n.. figure:: a.png\n   :alt: A plan\n\n   The caption.\n\n"
        ".. toctree::\n   :maxdepth: 2\n\n   intro\n\n.. versionadded:: 3.2\n\n>>> 1 + 1\n2\n",
    )
    assert spans(extracted, "code") == ["```\ndef f():\n    return 1\n```", "```\nx\n```", "```\n>>> 1 + 1\n2\n```"]
    prose = "\n".join(line for line in extracted.text.split("\n\n") if "```" not in line)
    assert prose == "Note: Ask first.\nThen\nleave(days)\nTake it.\nA plan\nThe caption.\nNew in version 3.2"


def test_comments_and_targets_are_left_out_and_footnotes_stay(read: Read) -> None:
    text = (
        ".. A comment\n   of two lines\n\n.. _target:\n.. _other: https://example.org\n__ anonymous\n\nText [1]_.\n\n"
        ".. [1] Note\n   of two.\n\n..\n\nEnd."
    )
    assert read("a.rst", text).text == "Text [1].\n\n[1] Note\nof two.\n\nEnd."


def test_links_and_roles_show_what_they_say(read: Read) -> None:
    text = (
        ".. |days| replace:: fifteen days\n\n`Rules <https://example.org>`_, :ref:`the list <list>`,"
        " :func:`~a.b.leave`, :py:class:`!Leave`, ``a|b ``, name_, |days|_, |other|,"
        " 2\\ :sup:`n`, \\*, __init__ and `<u>`__."
    )
    assert read("a.rst", text).text == (
        "Rules, the list, leave, Leave, `a|b `, name, fifteen days, |other|, 2n, *, __init__ and u."
    )


def test_tables_drawn_as_a_grid(read: Read) -> None:
    extracted = read(
        "a.rst",
        "+------+------------+-----+\n"
        "| 年限 | Days of    | No  |\n"
        "|      | leave      |     |\n"
        "+======+============+=====+\n"
        "| 一年 | 15 | more  | a   |\n"
        "+------+------------+-----+\n"
        "| both columns      | b   |\n"
        "+------+------------+     |\n"
        "| 五   | ``20``     |     |\n"
        "+------+------------+-----+\n",
    )
    assert spans(extracted, "table") == [
        "| 年限 | Days of leave | No |\n| --- | --- | --- |\n| 一年 | 15 \\| more | a |\n"
        "| both columns |  | b |\n| 五 | `20` |  |"
    ]


def test_tables_drawn_by_columns(read: Read) -> None:
    extracted = read(
        "a.rst",
        "=====  ========  ====\n"
        "Of leave         年\n"
        "---------------  ----\n"
        "Years  Days\n"
        "=====  ========  ====\n"
        "1      fifteen   甲\n"
        "       days\n"
        "\\      twenty    a longer one\n"
        "=====  ========  ====\n"
        "\n"
        "== ==\n"
        "1  2\n"
        "== ==\n",
    )
    assert spans(extracted, "table") == [
        "| Of leave Years | Days | 年 |\n| --- | --- | --- |\n| 1 | fifteen days | 甲 |\n|  | twenty | a longer one |",
        "| 1 | 2 |\n| --- | --- |",
    ]


def test_tables_in_directives(read: Read) -> None:
    extracted = read(
        "a.rst",
        ".. list-table:: Days\n   :header-rows: 1\n\n   * - Years\n     - Days\n   * - 1\n     - 15\n       days\n\n"
        '.. csv-table::\n   :header: Years, Days\n\n   1, "15, or 16"\n   5\n',
    )
    assert spans(extracted, "table") == [
        "| Years | Days |\n| --- | --- |\n| 1 | 15 days |",
        "| Years | Days |\n| --- | --- |\n| 1 | 15, or 16 |\n| 5 |  |",
    ]
    assert extracted.text.startswith("Days\n\n|")


def test_what_is_no_table_and_no_title_stays(read: Read) -> None:
    for text in ("== ==\n\nText.", "+--+\n\nText.", "a\n  b\n c", "=====\nText"):
        assert read("a.rst", text + "\n\nText").text.endswith("Text")


def test_what_is_nested_deep_is_read(read: Read) -> None:
    text = "".join(f"{' ' * depth}word{depth}\n\n" for depth in range(200))
    words = read("a.rst", text).text.split()
    assert words == [f"word{depth}" for depth in range(200)]


@pytest.mark.parametrize(
    "line", ["== ==\n", "+--+\n", "::\n\n", ".. |a| replace:: |a|\n", "``", "`", " \n x\n", "| ", "\\"]
)
def test_time_grows_with_the_file(read: Read, line: str) -> None:
    read("a.rst", "x\n\n" + line * (500_000 // len(line)))
