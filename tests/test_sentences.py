"""What a client is told about its request is there in both languages, for each kind of mistake that can be made."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from datetime import datetime
from string import Formatter
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from api.app import create_app
from api.description.error_page import page
from api.problems import fields_of
from dashboard.routes import pages
from models.base import json_of
from sentences import say
from sentences.details import DETAILS, THINGS
from sentences.fields import BY_PYDANTIC, CODES, OF_FIELDS, OTHERWISE
from sentences.sentence import Bilingual, Sentence
from settings import read
from tasks.types import all_types
from tests.test_requirements import ROOT

EVERY = {**BY_PYDANTIC, **OF_FIELDS, **DETAILS}
CHINESE = re.compile("[\u4e00-\u9fff]")
#: Rooms whose answers a client sees.
ROOMS = ("addresses.py", "keys.py", "settings.py", "api", "rpc", "tasks", "documents")


def places(text: str) -> set[str]:
    """The values that a sentence needs."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("kind", EVERY)
def test_a_sentence_is_there_in_both_languages(kind: str) -> None:
    sentence = EVERY[kind]
    assert CHINESE.search(sentence.chinese)
    assert not CHINESE.search(sentence.english)
    assert sentence.code in CODES
    assert sentence.english[0].islower() or sentence.english[0] in "{`1" or sentence.english.startswith("PostgreSQL")
    assert not sentence.english.endswith(".")


def said() -> Iterator[tuple[str, str, set[str] | None]]:
    """Each call of `say` and `missing` in the code: where it is, the kind, and the names of its values."""
    for room in ROOMS:
        place = ROOT / room
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    if isinstance(node.args[0], ast.Constant):
                        yield where, str(node.args[0].value), {str(keyword.arg) for keyword in node.keywords}


@pytest.mark.parametrize(("where", "kind", "values"), list(said()))
def test_what_is_said_has_its_sentence_and_all_its_values(where: str, kind: str, values: set[str]) -> None:
    sentence = EVERY[kind]
    assert values == places(sentence.english) | places(sentence.chinese), where


def test_every_sentence_is_said_somewhere() -> None:
    spelt = {kind for _, kind, _ in said()}
    # Where the kind is chosen first, it stands by itself.
    code = (ROOT / "api" / "problems.py").read_text(encoding="utf-8")
    unsaid = (OF_FIELDS.keys() | DETAILS.keys()) - spelt
    assert {kind for kind in unsaid if f'"{kind}"' not in code} == set()


def test_lists_are_joined_as_each_language_does_it() -> None:
    sentence = Sentence("one of {names}", "{names} 之一").of({"names": ("a", "b", "c")})
    assert (sentence, sentence.chinese) == ("one of a, b or c", "a、b、c 之一")
    assert Sentence("{names}", "{names}").of({"names": ["a"]}) == "a"


def test_a_sentence_keeps_its_chinese_on_its_way_to_another_process() -> None:
    sentence = pickle.loads(pickle.dumps(say("cursor")))
    assert (sentence, sentence.chinese, sentence.code) == (say("cursor"), OF_FIELDS["cursor"].chinese, "invalid")


def test_a_sentence_is_kept_as_its_english() -> None:
    assert json_of({"reason": say("cursor")}) == json_of({"reason": str(say("cursor"))})
    with pytest.raises(TypeError, match="object"):
        json_of(object())


class Everything(BaseModel):
    """A field of each kind that requests have."""

    model_config = ConfigDict(extra="forbid")

    needed: int
    number: int = Field(1, ge=1, le=9)
    open: float = Field(1, gt=0, lt=9, allow_inf_nan=False)
    text: str = Field("abc", min_length=2, max_length=4, pattern="^[a-z]+$")
    several: list[int] = Field([1], min_length=1, max_length=2)
    choice: Literal["low", "high"] = "low"
    flag: bool = False
    known: dict[str, Any] = {}
    inner: THing | None = None
    id: UUID | None = None
    when: datetime | None = None
    zoned: AwareDatetime | None = None
    ruled: Annotated[str, BeforeValidator(lambda value: _refused(value))] = "x"


class THing(BaseModel):
    """An object within."""

    name: str = "x"


def _refused(value: object) -> object:
    if value == "known":
        raise ValueError(say("cursor"))
    raise ValueError("in no words of ours")


WRONG: list[tuple[str, Any, str]] = [
    ("needed", ..., "missing"),
    ("colour", 1, "extra_forbidden"),
    ("number", 0, "greater_than_equal"),
    ("number", 10, "less_than_equal"),
    ("number", "one", "int_parsing"),
    ("number", "9" * 5000, "int_parsing_size"),
    ("number", 1.5, "int_from_float"),
    ("number", [], "int_type"),
    ("open", 0, "greater_than"),
    ("open", 9, "less_than"),
    ("open", "nan", "finite_number"),
    ("open", "one", "float_parsing"),
    ("open", [], "float_type"),
    ("text", "a", "string_too_short"),
    ("text", "abcde", "string_too_long"),
    ("text", "A!", "string_pattern_mismatch"),
    ("text", 1, "string_type"),
    ("text", "a\ud83c", "string_unicode"),
    ("several", [], "too_short"),
    ("several", [1, 2, 3], "too_long"),
    ("several", "x", "list_type"),
    ("choice", "middle", "literal_error"),
    ("flag", "perhaps", "bool_parsing"),
    ("flag", [], "bool_type"),
    ("known", [], "dict_type"),
    ("inner", "x", "model_type"),
    ("id", 1, "uuid_type"),
    ("id", "x", "uuid_parsing"),
    ("when", [], "datetime_type"),
    ("when", "yesterday", "datetime_from_date_parsing"),
    ("zoned", "2026-01-01T00:00:00", "timezone_aware"),
]


@pytest.mark.parametrize(("field", "value", "kind"), WRONG, ids=[case[2] for case in WRONG])
def test_each_kind_of_mistake_is_told_in_our_words(field: str, value: Any, kind: str) -> None:
    body = {"needed": 1, field: value}
    if value is ...:
        del body[field]
    with pytest.raises(ValidationError) as raised:
        Everything.model_validate(body)
    (error,) = raised.value.errors()
    assert error["type"] == kind
    (field_error,) = fields_of(raised.value)
    sentence = BY_PYDANTIC[kind]
    assert (field_error["field"], field_error["code"]) == (field, sentence.code)
    assert "{" not in field_error["message"] + field_error["message_zh"]
    assert field_error["message"].startswith(sentence.english.partition("{")[0])
    assert field_error["message_zh"].startswith(sentence.chinese.partition("{")[0])
    assert field_error["type"] == f"/docs/errors#{sentence.code}"


def test_what_is_allowed_is_listed_in_both_languages() -> None:
    with pytest.raises(ValidationError) as raised:
        Everything.model_validate({"needed": 1, "choice": "x"})
    (field_error,) = fields_of(raised.value)
    assert (field_error["message"], field_error["message_zh"]) == (
        "must be 'low' or 'high'",
        "必须是 'low'、'high' 之一",
    )


@pytest.mark.parametrize(("value", "sentence"), [("known", say("cursor")), ("else", OTHERWISE.of({}))])
def test_a_rule_of_our_own_is_told_in_its_sentence_and_no_other_text_reaches_a_client(
    value: str, sentence: Bilingual
) -> None:
    with pytest.raises(ValidationError) as raised:
        Everything.model_validate({"needed": 1, "ruled": value})
    (field_error,) = fields_of(raised.value)
    assert (field_error["message"], field_error["message_zh"]) == (sentence, sentence.chinese)


#: What each kind of value can be refused for, as pydantic calls the schema of it.
REFUSED_FOR: dict[str, tuple[str, ...]] = {
    "int": ("int_type", "int_parsing", "int_parsing_size", "int_from_float"),
    "float": ("float_type", "float_parsing", "finite_number"),
    "str": ("string_type", "string_unicode"),
    "bool": ("bool_type", "bool_parsing"),
    "list": ("list_type",),
    "dict": ("dict_type",),
    "uuid": ("uuid_type", "uuid_parsing"),
    "datetime": ("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
    "literal": ("literal_error",),
    "model": ("model_type",),
    "model-fields": ("missing", "extra_forbidden", "model_attributes_type"),
    "constrained-str": ("string_too_short", "string_too_long", "string_pattern_mismatch"),
}
#: Schemas that only wrap others, or take anything.
WRAP = {
    *("any", "nullable", "default", "definitions", "definition-ref", "model-field", "is-instance", "lax-or-strict"),
    *("function-before", "function-after", "function-wrap", "function-plain", "no-info", "with-info"),
    *("json-or-python", "chain", "union", "bytes"),
}


def schemas(part: Any) -> Iterator[str]:
    """The types of the schemas within a schema."""
    if isinstance(part, dict):
        if isinstance(kind := part.get("type"), str) and ("schema" in part or len(part) >= 1):
            yield kind
        for name, inner in part.items():
            if name not in ("serialization", "metadata", "config", "ref", "default"):
                yield from schemas(inner)
    elif isinstance(part, (list, tuple)):
        for inner in part:
            yield from schemas(inner)


def requests() -> list[type[BaseModel]]:
    """The models that requests are read as."""
    app: Any = create_app(read({}), pages())
    models: set[type[BaseModel]] = {task_type.payload for task_type in all_types().values()}
    stack: list[Any] = [*app._router._roots]
    while stack:
        node = stack.pop()
        stack += node.children
        for name in ("on_get", "on_post", "on_put", "on_patch", "on_delete"):
            described = getattr(getattr(node.resource, name, None), "operation", None)
            if described is not None:
                models |= {model for model in (described.query, described.request) if model is not None}
    return sorted(models, key=lambda model: model.__name__)


def test_no_request_has_a_kind_of_value_without_sentences() -> None:
    models = requests()
    assert len(models) > 20
    for model in models:
        model.model_rebuild()
        for kind in set(schemas(model.__pydantic_core_schema__)):
            assert kind in REFUSED_FOR or kind in WRAP, f"{model}: {kind}"
    assert {kind for kinds in REFUSED_FOR.values() for kind in kinds} <= BY_PYDANTIC.keys()


@pytest.mark.parametrize("name", ["errors.md", "errors.zh.md"])
def test_the_codes_of_fields_are_on_the_pages(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for code, promised in CODES.items():
        assert f"| `{code}` | {promised.meaning_zh if 'zh' in name else promised.meaning} |" in text
        assert f'<section id="{code}">' in page()


def test_whatever_can_be_missing_has_a_name_in_chinese() -> None:
    sources = [
        path.read_text(encoding="utf-8") for room in ("api", "dashboard") for path in (ROOT / room).rglob("*.py")
    ]
    named = {name for text in sources for name in re.findall(r'\b(?:missing|identifier)\((?:\w+, )?"(\w+)"', text)}
    assert named == THINGS.keys()


def test_a_sentence_within_another_is_said_in_each_language() -> None:
    sentence = say("no_retry", reason=say("it_depends", cause="T", status="failed"))
    assert sentence == "the task cannot be retried: it depends on task T, which is failed"
    assert sentence.chinese == "该任务无法重试：它依赖任务 T，而该任务的状态为 failed"
