"""What a restore says of a database that lacks what no backup holds."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.backups import script
from tests.postgres import Postgres

QUIET = ("log_min_error_statement = panic", "log_error_verbosity = terse")


@pytest.mark.parametrize("said", [QUIET, QUIET[:1], ()], ids=["both are set", "one is set", "none is set"])
def test_a_restore_says_when_the_log_of_postgresql_would_quote_documents(
    postgres: Postgres, database_url: str, empty_database_url: str, tmp_path: Path, said: tuple[str, ...]
) -> None:
    set_for(database_url, QUIET)
    set_for(empty_database_url, said)
    saved = script("backup.sh", postgres.programs, database_url, tmp_path)
    assert saved.returncode == 0, saved.stderr
    restored = script("restore.sh", postgres.programs, empty_database_url, Path(saved.stdout.strip()))
    assert restored.returncode == 0, restored.stderr
    assert ("ALTER DATABASE" in restored.stderr) == (said != QUIET)


def set_for(url: str, said: tuple[str, ...]) -> None:
    """Set something for every connection to a database that is made from now on."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_database())")
        (name,) = cursor.fetchone() or ("",)
        for setting in said:
            cursor.execute(f"ALTER DATABASE {name} SET {setting}")
        connection.commit()
