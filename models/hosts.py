"""Where PostgreSQL is: a URL as SQLAlchemy takes it, and which of several hosts is asked first."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Engine, event

#: What follows `://` where it names several hosts.
SEVERAL_HOSTS = re.compile(r"(?P<user>[^@/?]*@)?(?P<hosts>[^@/?]*,[^@/?]*)(/(?P<path>[^?]*))?(\?(?P<query>.*))?")
HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:]*)(:(?P<port>\d*))?")

#: What each of several hosts is asked for, where the URL does not say it: the primary takes writes, a standby does not.
PRIMARY, STANDBY = "read-write", "prefer-standby"


def psycopg2_url(url: str, wanted: str = PRIMARY) -> str:
    """Write the URL as SQLAlchemy takes it.

    The driver is named: SQLAlchemy 2.1 would take psycopg 3 for a bare `postgresql://`. Several hosts, which libpq has
    before the path (`h1:5432,h2:5433`), become parameters, which psycopg2 hands on to libpq.

    Parameters:
      wanted: which of several hosts is connected to, where the URL has no `target_session_attrs`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg2"):
        return url
    match = SEVERAL_HOSTS.fullmatch(rest)
    if match:
        members = [HOST.fullmatch(host) for host in match["hosts"].split(",")]
        if all(members):
            hosts = ",".join(member["host"].strip("[]") for member in members if member)
            ports = ",".join(member["port"] or "5432" for member in members if member)
            more = f"&{match['query']}" if match["query"] else ""
            if "target_session_attrs=" not in more:
                more += f"&target_session_attrs={wanted}"
            rest = f"{match['user'] or ''}/{match['path'] or ''}?host={hosts}&port={ports}{more}"
    return f"postgresql+psycopg2://{rest}"


def begin_with_the_last(engine: Engine) -> None:
    """Have each new connection ask that of several hosts first which took the last one.

    libpq asks in the order of the URL. While the first host does not answer at all, as when its machine is gone, each
    connection would wait for it until `connect_timeout`.
    """
    last: list[tuple[str, str]] = []

    def connected(connection: Any, _record: object) -> None:
        last[:] = [(connection.info.host, str(connection.info.port))]

    def connecting(_dialect: object, _record: object, _positional: object, named: dict[str, object]) -> None:
        hosts, ports = str(named.get("host", "")).split(","), str(named.get("port", "")).split(",")
        members = list(zip(hosts, ports, strict=False))
        if len(members) == len(hosts) > 1 and last and last[0] in members:
            members.sort(key=lambda member: member != last[0])
            named["host"], named["port"] = (",".join(column) for column in zip(*members, strict=True))

    event.listen(engine, "connect", connected)
    event.listen(engine, "do_connect", connecting)
