"""A query's tokens hold those that the index has of the same words."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from documents.splitting.simplified import simplified
from documents.splitting.tokens import LONGEST_GRAM, LONGEST_TOKEN, index_tokens, query_tokens

TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="中华人民共和国的研究生命起源机器学习abcXYZ019 _-.,。Ａカナßé\n"),
)


@given(TEXTS)
def test_every_word_of_the_index_is_found_by_the_same_text(text: str) -> None:
    asked = set(query_tokens(text))
    for token in index_tokens(text):
        assert token in asked or len(token) > LONGEST_GRAM
        if token.isascii():
            assert token in asked


@given(TEXTS)
def test_tokens_fit_an_index(text: str) -> None:
    for token in index_tokens(text) + query_tokens(text):
        assert 0 < len(token) <= LONGEST_TOKEN
        assert not any(character.isspace() for character in token)
        assert len(token.encode()) < 2000


def test_chinese_is_cut_into_words_and_their_parts() -> None:
    assert {"中华人民共和国", "共和国", "人民"} <= set(index_tokens("中华人民共和国"))
    assert "研究生命" in query_tokens("研究生命")


def test_case_width_and_punctuation_make_no_difference() -> None:
    assert index_tokens("ＧＢ１８０３０, Straße!") == ["gb18030", "strasse"]
    assert query_tokens("gb18030 STRASSE") == ["gb18030", "strasse"]


def test_traditional_and_simplified_characters_make_no_difference() -> None:
    assert index_tokens("機器學習與資料庫") == index_tokens("机器学习与资料库")
    assert set(query_tokens("机器学习")) <= set(query_tokens("機器學習"))
    assert "機器" in query_tokens("機器學習"), "as it was indexed before"


@given(TEXTS)
def test_a_text_in_simplified_characters_is_as_long(text: str) -> None:
    assert len(simplified(text)) == len(text)


def test_words_are_counted_and_asked_once() -> None:
    assert index_tokens("tea for two, Tea") == ["tea", "for", "two", "tea"]
    assert query_tokens("tea tea") == ["tea"]


def test_a_web_process_needs_no_dictionary() -> None:
    code = (
        "import sys; import documents.sandbox.pool; from documents.splitting.tokens import query_tokens;"
        "query_tokens('中文');"
        "print([m for m in ('rjieba', 'lxml', 'pypdfium2', 'selectolax', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
