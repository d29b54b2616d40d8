"""Where a query's words stand in a text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.searching.highlights import highlights
from documents.splitting.tokens import query_tokens


def marked(text: str, tokens: list[str]) -> list[str]:
    """What is highlighted, as it is written in the text."""
    return [text[start:end] for start, end in highlights(text, tokens)]


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("Green tea, and green paint.", ["green", "tea"], ["Green", "tea", "green"]),
        ("Teapots hold tea.", ["tea"], ["tea"]),
        ("北京大学的学生在大学里", ["大学", "学生"], ["大学", "学生", "大学"]),
        ("注意力机制", ["注意", "意力", "注意力", "机制"], ["注意力机制"]),
        ("Transformer 模型的注意力", ["transformer", "模型"], ["Transformer", "模型"]),
        ("ＧＲＥＥＮ　ｔｅａ", ["green", "tea"], ["ＧＲＥＥＮ", "ｔｅａ"]),
        ("ﾃﾞｰﾀ", ["デー", "ータ"], ["ﾃﾞｰﾀ"]),
        ("cafe\u0301 and café", ["café"], ["cafe\u0301", "café"]),
        ("Straße, STRASSE", ["strasse"], ["Straße", "STRASSE"]),
        ("㍿ is a company", ["株式"], ["㍿"]),
        ("x" * 80 + " y", ["x" * 64], ["x" * 80]),
        ("機器學習 and 机器学习", query_tokens("机器"), ["機器", "机器"]),
        ("機器學習", ["機器"], ["機器"]),
        ("\u0b95\u0bc6\u0bbe\u0b9f\u0bc6\u0bbe green tea", ["tea"], ["tea"]),  # decomposed Tamil
        ("Nothing here.", ["tea"], []),
        ("", ["tea"], []),
        ("tea", [], []),
    ],
)  # fmt: skip
def test_what_is_marked(text: str, tokens: list[str], expected: list[str]) -> None:
    assert marked(text, tokens) == expected


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_places_are_in_order_apart_and_within_the_text(text: str) -> None:
    places = highlights(text, query_tokens(text))
    edges = [edge for place in places for edge in place]
    assert edges == sorted(set(edges))
    assert all(0 <= edge <= len(text) for edge in edges)


@given(st.text(alphabet="aBéßﬁ中国大学カﾞ가 .９㌔", max_size=30))
def test_every_letter_of_a_text_that_is_its_own_query_is_marked(text: str) -> None:
    marked_offsets = {offset for start, end in highlights(text, query_tokens(text)) for offset in range(start, end)}
    letters = {offset for offset, character in enumerate(text) if unicodedata.normalize("NFKC", character)[0].isalnum()}
    assert letters <= marked_offsets


@given(st.text(alphabet="aBéßﬁ中国大學カﾞが .９㌔", max_size=30))
def test_a_character_that_becomes_several_changes_nothing_before_it(text: str) -> None:
    tokens = query_tokens(text)
    assert highlights(f"{text}\n…", tokens) == highlights(text, tokens)
