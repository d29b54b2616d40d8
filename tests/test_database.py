"""The only way to a transaction: what becomes of connections that lie in the pool."""

from __future__ import annotations

from sqlalchemy import Engine, text

from models.database import transaction


def backends() -> list[int]:
    """The server's processes of two connections of the pool."""
    with transaction() as first, transaction() as second:
        return [each.execute(text("SELECT pg_backend_pid()")).scalar_one() for each in (first, second)]


def test_a_connection_that_the_server_closed_while_it_lay_in_the_pool_is_not_used(database: Engine) -> None:
    before = backends()
    with transaction() as session:
        own = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        (other,) = set(before) - {own}
        assert session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": other}).scalar_one()
    after = backends()
    assert own in after, "a connection that lives is used again"
    assert other not in after, "and the other one replaced, without an error"
