"""Org: headings, lists, tables and blocks as Markdown has them, and nothing that only steers Emacs."""

from __future__ import annotations

import pytest

from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, f"{ENGLISH}\n{CHINESE}"])
def test_a_text_comes_back(read: Read, text: str) -> None:
    extracted = read("a.org", f"{text}\n")
    assert (extracted.text, extracted.format) == (text, "org")
    assert read("a", text, "text/org").format == "org"


def test_headlines_are_headings_by_their_stars_without_states_priorities_and_tags(read: Read) -> None:
    extracted = read(
        "a.org",
        "#+TITLE: Handbook\n#+AUTHOR: Ada\n#+OPTIONS: toc:nil\n# A comment\n\n* Leave\n"
        "** TODO [#A] Ask   first :hr:de:\n"
        "*** [[https://example.org][Rules]] of 1:2\nText.\n*bold* is no headline\n",
    )
    assert headings(extracted) == [(0, "Handbook"), (1, "Leave"), (2, "Ask first"), (3, "Rules of 1:2")]
    assert extracted.text == (
        "# Handbook\n\n# Leave\n\n## TODO Ask first :hr:de:\n\n### Rules of 1:2\n\nText.\n*bold* is no headline"
    )
    assert extracted.properties == {"title": "Handbook", "author": "Ada"}


def test_lists_and_paragraphs_keep_their_lines(read: Read) -> None:
    text = "First line\nand second.\n\n- one\n  - [X] deep\n- term :: what it is\n\n1. a\n2. b"
    assert read("a.org", text).text == text


def test_tables_are_those_of_markdown(read: Read) -> None:
    extracted = read(
        "a.org",
        "#+CAPTION: Days of leave\n| Years | Days |\n|-------+------|\n| <l> | <5> |\n"
        "| 1 | 15 |\n|---+---|\n| 5 | [[a][20]] |\n"
        "#+TBLFM: $2=1\n\n| 1 | 2 |\n| 3 | |\nAfter.",
    )
    assert spans(extracted, "table") == [
        "| Years | Days |\n| --- | --- |\n| 1 | 15 |\n| 5 | 20 |",
        "|  |  |\n| --- | --- |\n| 1 | 2 |\n| 3 |  |",
    ]
    assert extracted.text.startswith("Days of leave\n\n| Years")
    assert extracted.text.endswith("\n\nAfter.")


def test_blocks_of_source_are_code_and_others_are_text(read: Read) -> None:
    extracted = read(
        "a.org",
        "#+NAME: x\n#+begin_src python :results output\n,* no headline\nprint(1)\n\n  # so\n#+end_src\n\n"
        "#+RESULTS:\n: 1\n: 2\n"
        "#+BEGIN_QUOTE\nSaid.\n#+END_QUOTE\n"
        "#+begin_comment\nsecret\n#+end_comment\n#+begin_example\n| a |\n#+end_example\n",
    )
    assert spans(extracted, "code") == [
        "```\n* no headline\nprint(1)\n\n  # so\n```",
        "```\n1\n2\n```",
        "```\n| a |\n```",
    ]
    assert "\n\nSaid.\n\n" in extracted.text
    assert "secret" not in extracted.text
    assert "#+" not in extracted.text


def test_drawers_of_properties_are_left_out_and_others_are_read(read: Read) -> None:
    extracted = read(
        "a.org",
        "* A\nSCHEDULED: <2024-01-02>\n:PROPERTIES:\n:ID: 1\n:END:\nText.\n:NOTE:\nkept\n:END:\n"
        ":LOGBOOK:\nCLOCK: 1\n:END:\n",
    )
    assert extracted.text == "# A\n\nSCHEDULED: <2024-01-02>\nText.\nkept"


def test_what_is_never_closed_loses_nothing(read: Read) -> None:
    text = "#+begin_comment\n:PROPERTIES:\nText.\n#+begin_src\n* A\nMore."
    assert read("a.org", text).text == "#+begin_comment\n:PROPERTIES:\nText.\n#+begin_src\n\n# A\n\nMore."


def test_links_show_what_they_say(read: Read) -> None:
    text = "See [[https://example.org/a][the rules]], [[file:b.org]] and [[https://example.org]]; a[[1]]."
    assert read("a.org", text).text == "See the rules, b.org and https://example.org; a1."


@pytest.mark.parametrize("line", ["#+begin_src\n", ":A:\n", "* \t", "[[", "|", ":"])
def test_time_grows_with_the_file(read: Read, line: str) -> None:
    read("a.org", "x\n" + line * (1_000_000 // len(line)))
