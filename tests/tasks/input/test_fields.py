"""The one declaration of a task's fields: that nothing else need be said of one."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from models import Task, database
from tasks.accepting.submission import Submission
from tasks.input.fields import KEPT, WHERE, Filter, TaskFields
from tasks.views import reading
from tests.tasks.conftest import Desk


def test_each_field_has_its_column() -> None:
    columns = {column.name for column in Task.__table__.columns}
    assert TaskFields.model_fields.keys() <= columns
    assert all(hasattr(Task, kept.attribute or name) for name, kept in KEPT.items())


def test_each_parameter_of_a_filter_says_what_fits_it() -> None:
    assert WHERE.keys() == Filter.model_fields.keys()


@pytest.mark.parametrize("name", TaskFields.model_fields)
def test_no_field_takes_what_cannot_be_kept(name: str) -> None:
    nul: dict[str, Any] = {"payload": {"message": "a\0"}, "metadata": {"a": "a\0"}, "depends_on": ["a\0"]}
    with pytest.raises(ValidationError):
        Submission(**{"task_type": "test", name: nul.get(name, "https://a\0")})


def test_what_is_said_is_kept_and_shown(desk: Desk) -> None:
    (first,) = desk.submit()
    said: dict[str, Any] = {
        "task_type": "test",
        "kb_id": "kb",
        "payload": {"message": "a"},
        "priority": "high",
        "retry_limit": 7,
        "timeout": 2.5,
        "callback_url": "https://kb.example/x",
        "run_at": "2999-01-01T00:00:00Z",
        "expires_at": "2999-01-02T00:00:00Z",
        "depends_on": [str(first)],
        "on_dependency_failure": "run",
        "metadata": {"a": [1]},
    }
    assert said.keys() == TaskFields.model_fields.keys(), "say the new one as well"
    (task_id,) = desk.submit(**said)
    with database.transaction() as session:
        shown = reading.show(session, task_id)
    assert shown is not None
    assert {name: shown[name] for name in said} == said | {"payload": shown["payload"]}
    assert shown["payload"]["message"] == "a"
