"""Documents whose ids begin with a prefix: those alone, and none of the others are looked at."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from documents.storing.filter import Filter, beginning
from models.database import transaction


@pytest.mark.parametrize("prefix", ["%", "_", "\\", "a%b_c\\", "\\%", "茶/"])
def test_what_means_something_in_a_pattern_means_itself_in_a_prefix(database: Engine, prefix: str) -> None:
    asked = {"pattern": beginning(prefix), "hit": prefix + "and more", "miss": "x" + prefix}
    with transaction() as session:
        answers = session.execute(text("SELECT :hit LIKE :pattern, :miss LIKE :pattern"), asked).one()
    assert tuple(answers) == (True, False)


def test_an_index_finds_what_begins_with_a_prefix(database: Engine) -> None:
    condition, values = Filter(prefix="manuals/").condition()
    with transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        explained = text(f"EXPLAIN SELECT FROM documents AS d WHERE {condition}")
        plan = "\n".join(session.scalars(explained, values | {"kb_id": "kb"}))
    (condition,) = (line for line in plan.splitlines() if "Index Cond" in line)
    assert "manuals/" in condition, plan
