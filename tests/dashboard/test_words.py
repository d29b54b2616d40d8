"""The pages' two languages: nothing is said in one that the other lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from dashboard import words
from dashboard.rendering import FOLDER, PAGES
from dashboard.words import language_of, say_in
from tasks.lifecycle import Status

TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
#: What templates say of a variable: its values, where they are ours.
OF_VALUES = {*map(str, Status), *(text for _, _, text in PAGES), *words.OF_VALUES}


def said(path: Path) -> set[str]:
    """Return the texts that a template says."""
    tree = Environment().parse(path.read_text(encoding="utf-8"))
    texts = (text[0] if isinstance(text, tuple) else text for _, _, text in extract_from_ast(tree, ("_",)))
    return {text for text in texts if text is not None}


def test_every_text_has_its_chinese_and_no_chinese_is_left_over() -> None:
    texts = OF_VALUES.union(*map(said, TEMPLATES))
    assert sorted(texts - words.chinese().keys()) == []
    assert sorted(words.chinese().keys() - texts) == []


#: A letter or digit beside a Chinese character without a space.
CLOSE = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9`]|[A-Za-z0-9`][\u4e00-\u9fff]")


@pytest.mark.parametrize(("english", "chinese"), words.chinese().items())
def test_a_translation_is_chinese_and_names_the_same_values(english: str, chinese: str) -> None:
    assert re.findall(r"%\(\w+\)s|%s", english) == sorted(re.findall(r"%\(\w+\)s|%s", chinese), key=english.find)
    assert re.search(r"[\u4e00-\u9fff]", chinese) or not re.search(r"[a-z]{3}", english), chinese
    bare = re.sub(r"%\(\w+\)s|%s", "", chinese)
    assert not re.search(r"[\u4e00-\u9fff][,;:!?(]|[,;:!?)][\u4e00-\u9fff]", bare), f"{chinese}: its own punctuation"
    assert not CLOSE.search(bare), f"{chinese}: a space beside Latin letters"


def test_no_template_says_a_text_that_is_not_translatable() -> None:
    """What stands between tags is a value, a name of a product, or said in the viewer's language."""
    for path in TEMPLATES:
        text = re.sub(
            r"{#.*?#}|{%.*?%}|{{.*?}}|<(script|style).*?</\1>|<[^>]*>", " ", path.read_text("utf-8"), flags=re.S
        )
        assert set(re.findall(r"[A-Za-z]{4,}", text)) <= {"Task", "Manager", "RabbitMQ", "curl", "nbsp"}, path.name


@pytest.mark.parametrize(
    ("cookie", "accepted", "expected"),
    [
        (None, None, "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-US,en;q=0.9,zh;q=0.8", "en"),
        (None, "de, zh;q=0.5, en;q=0.7", "en"),
        (None, "zh;q=x, en", "en"),
        ("zh", "en", "zh"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_language_is_the_viewers_choice_or_the_browsers(
    cookie: str | None, accepted: str | None, expected: str
) -> None:
    assert language_of(cookie, accepted) == expected


def test_values_are_put_in() -> None:
    assert say_in("en")("This touches %s.") == "This touches %s."
    assert "ops" in say_in("zh")("Signed in as %(name)s, role %(role)s", name="ops", role="read")
