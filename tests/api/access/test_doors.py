"""Nobody comes in without a key: every route, by every method, under every spelling of its address."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from urllib.parse import quote

import falcon.inspect
import pytest

from api.access.rules import PREFIX, PUBLIC
from api.app import create_app
from dashboard.page import Page
from dashboard.pages.overview import Plots
from dashboard.routes import pages
from settings import read
from tests.guard import Guard
from tests.processes import Deployment, EmbeddedDeployment

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: What tells a caller without a key nothing.
CLOSED = {400, 401, 404, 405}
ROUTES = [route.path for route in falcon.inspect.inspect_routes(create_app(read({}), pages()))]


def spellings(path: str) -> Iterator[str]:
    """What a client may write for a path."""
    for slashes in ("", "/", "//", "///"):
        yield slashes + path
        yield f"{slashes}{path}/"
    parts = path.split("/")[1:]
    for dots in (".", "..", "%2e", "%2E%2e", "x/.."):
        yield f"/{dots}{path}"
        yield "/" + "/".join([*parts[:-1], dots, parts[-1]])
        yield f"{path}/{dots}"
    yield from (f"/%2f{path}", f"%2f{path[1:]}", f"/%2F{path[1:]}", path.replace("/", "%2f"), path.replace("/", "//"))
    yield from (path.upper(), path.title(), path[:3].upper() + path[3:])
    yield from (f"{path}?", f"{path}?key=x", f"{path};x", f"{path}#", f"{path}%20", f"{path}%00", f"{path}\\")
    yield "/" + "".join(f"%{ord(character):02x}" for character in path[1:])
    yield "/" + quote(path[1:], safe="").replace("%2F", "/")
    yield from (f"http://anywhere{path}", f"http://anywhere/{path}", f"//anywhere{path}", f"{path[1:]}")


def status_of(port: int, method: str, address: str) -> int:
    """The status that an address gets as it is written; 400 where the server hangs up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, address)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "2")
        connection.endheaders(b"{}")
        return connection.getresponse().status
    except (http.client.HTTPException, ConnectionError):
        return 400
    finally:
        connection.close()


def opened(port: int) -> list[str]:
    """What is answered though no key was given, and is not public."""
    answers = []
    for route in ROUTES:
        path = re.sub(r"{\w+}", "default", route)
        for address in dict.fromkeys(spellings(path)):
            # How an address is written and by which method it is asked are told apart.
            for method in METHODS if address == path else ("GET", "POST"):
                status = status_of(port, method, address)
                if status not in CLOSED and route not in PUBLIC:
                    answers.append(f"{method} {address} {status}")
    return answers


def test_what_needs_no_key_is_named_and_below_no_prefix() -> None:
    assert set(ROUTES) >= PUBLIC
    assert not any(route.startswith(PREFIX) for route in PUBLIC)
    # What else is below no prefix are the pages, but for those that show nothing of a KB.
    shown = {path for path, resource in pages().routes if isinstance(resource, Page | Plots)}
    assert {route for route in ROUTES if not route.startswith(PREFIX)} == PUBLIC | shown
    assert not shown & PUBLIC


def test_no_spelling_opens_a_route_of_gunicorn(deployment: Deployment) -> None:
    deployment.start("web", API_KEYS="kb:s3cret")
    assert status_of(deployment.port, "GET", f"/{PREFIX}/tasks") == 401
    assert opened(deployment.port) == []


def test_no_spelling_opens_a_route_of_uvicorn(embedded: EmbeddedDeployment) -> None:
    embedded.start_embedded(API_KEYS="kb:s3cret")
    assert status_of(embedded.port, "GET", f"/{PREFIX}/tasks") == 401
    assert opened(embedded.port) == []


@pytest.fixture
def paced(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """A web process with a rate limit."""
    servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
    with Deployment(*servers, tmp_path_factory.mktemp("paced"), guard, RATE_LIMIT_PER_MINUTE="3") as deployment:
        deployment.start("web")
        yield deployment


def test_no_spelling_is_past_the_rate_limit(paced: Deployment) -> None:
    address = f"{PREFIX}/stats/workers"
    answers = [status_of(paced.port, "GET", slashes + address) for slashes in ("", "/", "//", "///", "")]
    assert answers == [200, 200, 200, 429, 429]
    assert status_of(paced.port, "GET", "//livez") == 200


def test_a_client_is_told_what_is_left_of_its_rate(
    idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard
) -> None:
    servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
    more = {"RATE_LIMIT_PER_MINUTE": "3", "API_KEYS": "rated:r4ted"}
    with Deployment(*servers, tmp_path_factory.mktemp("rated"), guard, **more) as deployment:
        deployment.start("web")
        key = {"Authorization": "Bearer r4ted"}
        answers = [deployment.http.get(f"{PREFIX}/stats/workers", headers=key) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=3;w=60'}
        left = [re.fullmatch(r'"requests";r=(\d);t=(\d+)', answer.headers["ratelimit"]) for answer in answers]
        assert [match and match[1] for match in left] == ["2", "1", "0", "0"]
        assert "ratelimit" not in deployment.http.get("/livez").headers
