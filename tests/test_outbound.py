"""HTTP to the outside: where it may go, how far, how much and how long. The servers are real."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import outbound
from outbound import ForbiddenAddress, Interrupted, OutboundError, TooLarge
from settings import VERSION

MIB = 1024 * 1024


class Site:
    """A web server whose pages are functions: `site.pages["/path"] = answer`."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                self.rfile.read(length)
                site.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                site.pages[self.path](self)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """The test says what matters."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """A client that hangs up is what several tests are about."""

        self._server = Server((address, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = address
        self.port: int = self._server.server_address[1]
        self.host = f"{address}:{self.port}"

    def url(self, path: str, host: str | None = None) -> str:
        return f"http://{host or self.address}:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """A page that answers so."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return page


def trickle(before: bytes, drop: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """A page that never ends, and never falls silent."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(before)
        while True:
            handler.wfile.write(drop)
            handler.wfile.flush()
            time.sleep(0.05)

    return page


def download(site: Site, path: str, folder: Path, **more: Any) -> outbound.Downloaded:
    options = {"max_bytes": MIB, "timeout": 20.0, "allowed_hosts": [site.host], **more}
    return outbound.download(site.url(path), folder / "file", **options)


PRIVATE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "10.0.0.1", "172.16.0.1",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "localhost", "LOCALHOST.", "[::1]", "[::]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]",
    "[ff02::1]", "[2001:db8::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "１２７.0.0.1",
]  # fmt: skip

#: One address of each range that IANA lists as special, and of those that are spelt by its rules.
SPECIAL = [
    "0.1.2.3", "10.255.255.255", "100.127.255.255", "127.255.255.255", "169.254.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.192", "192.0.2.255", "192.31.196.1", "192.52.193.1",
    "192.88.99.1", "192.168.255.255", "192.175.48.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "239.255.255.255", "255.255.255.254",
    "::2", "::5efe:10.0.0.1", "::ffff:0:10.0.0.1", "::ffff:192.0.0.192", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1",
    "64:ff9b:1:ffff::1", "100::1", "100:0:0:1::1", "2001::1", "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1",
    "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8:ffff::1", "2002:a00:1::1", "2620:4f:8000::1", "3fff:fff::1",
    "4000::1", "5f00::1", "fc00::1", "fdff::1", "fe80::5efe:5db8:d70e", "feb0::1", "fec0::1", "feff::1", "ff0e::1",
    "2606:2800:21f:cb07:0:5efe:10.0.0.1", "2606:2800:21f:cb07:200:5efe:10.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", SPECIAL)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not outbound.is_outside(ipaddress.ip_address(address))


@pytest.mark.parametrize("special", outbound.SPECIAL)
def test_what_lies_beside_a_special_range_is_judged_by_itself(special: str) -> None:
    network = ipaddress.ip_network(special)
    first, last = int(network[0]), int(network[-1])
    kind = type(network[0])
    assert not outbound.is_outside(kind(first))
    assert not outbound.is_outside(kind(last))
    beside = [kind(number) for number in (first - 1, last + 1) if 0 < number < 2**network.max_prefixlen]
    others = [ipaddress.ip_network(other_range) for other_range in outbound.SPECIAL if other_range != special]
    for neighbour in beside:
        if not any(neighbour in other for other in others):
            # 6to4 begins where no list does, and carries an address within.
            assert outbound.is_outside(neighbour) or getattr(neighbour, "sixtofour", None), neighbour


def test_a_request_says_who_asks_and_in_which_version(site: Site, tmp_path: Path) -> None:
    site.pages["/tea"] = answer(200, b"green")
    download(site, "/tea", tmp_path)
    assert site.requests[0][1]["user-agent"] == f"task-manager/{VERSION}"


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises((ForbiddenAddress, OutboundError)) as refused:
        outbound.check(f"http://{host}/")
    # A resolver of this machine may know no such notation; then there is nowhere to go either.
    assert refused.type is ForbiddenAddress or "cannot be resolved" in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_the_loopback_is_known_for_what_it_is(host: str) -> None:
    with pytest.raises(ForbiddenAddress, match="not a public address"):
        outbound.check(f"http://{host}/")


@pytest.mark.parametrize(
    "host",
    ["93.184.215.14", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]", "[::ffff:93.184.215.14]", "[64:ff9b::5db8:d70e]"],
)
def test_a_public_address_is_reached(host: str) -> None:
    assert outbound.check(f"https://{host}/a").address == host.strip("[]")


@pytest.mark.parametrize(
    "url",
    ["", "kb", "//kb", "ftp://93.184.215.14", "file:///etc/passwd", "http://", "http:///a", "gopher://93.184.215.14",
     "javascript:alert(1)", "http://[::1", "http://93.184.215.14:port/", "http://user:password@93.184.215.14/"],
)  # fmt: skip
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddress) as refused:
        outbound.check(url)
    assert ":password" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://kb:port/?token=SECRET", "kb/SECRET?token=SECRET", "http://user:SECRET@kb/"])
def test_no_message_quotes_a_url(url: str) -> None:
    with pytest.raises(ForbiddenAddress) as refused:
        outbound.check(url)
    assert "SECRET" not in str(refused.value)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A resolver of the test's own: for each name the addresses of each time that it is asked."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host not in known:
            return real(host, port, *args, **more)
        return [entry for address in known[host].pop(0) for entry in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["93.184.215.14", "::1"]])
def test_a_name_that_leads_to_a_private_address_is_refused(
    names: dict[str, list[list[str]]], addresses: list[str]
) -> None:
    names["kb.example"] = [addresses]
    with pytest.raises(ForbiddenAddress, match=r"kb\.example leads to"):
        outbound.check("http://kb.example/")


def test_a_name_that_changes_after_it_was_checked_changes_nothing(
    names: dict[str, list[list[str]]], site: Site, tmp_path: Path
) -> None:
    # Asked a second time, it would lead to where nobody listens.
    names["kb.example"] = [["127.0.0.1"], ["127.0.0.9"]]
    site.pages["/a"] = answer(200, b"text")
    url = site.url("/a", "kb.example")
    file = outbound.download(url, tmp_path / "file", max_bytes=MIB, timeout=20, allowed_hosts=["kb.example"])
    assert (file.status, names["kb.example"]) == (200, [["127.0.0.9"]])
    assert site.requests[0][1]["host"] == f"kb.example:{site.port}"


def test_a_name_that_does_not_exist_may_exist_later() -> None:
    with pytest.raises(OutboundError, match=r"kb\.invalid cannot be resolved"):
        outbound.check("http://kb.invalid/")


def test_a_host_is_allowed_with_or_without_its_port(site: Site) -> None:
    for allowed in ("127.0.0.1", site.host):
        assert outbound.check(site.url("/"), [allowed]).address == "127.0.0.1"
    with pytest.raises(ForbiddenAddress):
        outbound.check(site.url("/"), ["127.0.0.1:1", "localhost", "127.0.0"])


@pytest.mark.parametrize(
    ("url", "allowed"),
    [("http://10.1.2.3/", "10.0.0.0/8"), ("http://kb.example/", "10.1.2.0/24"), ("http://KB.example/", "kb.example"),
     ("http://kb.example:8080/", "kb.example:8080"), ("https://kb.example/", "kb.example:443"),
     ("http://[fd00::5]/", "fd00::5"), ("http://[fd00::5]/", "[fd00::5]"), ("http://[fd00::5]:81/", "[fd00::5]:81"),
     ("http://[fd00::5]/", "fd00::/8"), ("http://[::ffff:10.1.2.3]/", "10.0.0.0/8"),
     ("http://wiki.公司/", "wiki.公司"), ("http://wiki.公司/", "wiki.xn--55qx5d")],
)  # fmt: skip
def test_a_private_host_is_reached_by_what_is_allowed(
    names: dict[str, list[list[str]]], url: str, allowed: str
) -> None:
    for name in ("kb.example", "wiki.公司", "wiki.xn--55qx5d"):
        names[name] = [["10.1.2.3"], ["10.1.2.3"]]
    assert outbound.check(url, [allowed]).address
    with pytest.raises(ForbiddenAddress):
        outbound.check(url, ["10.9.0.0/16", "other.example", "kb.example:81", "2001:db8::/32", "[fd00::5]:82"])


def test_an_allowed_network_allows_no_other_address_of_a_name(names: dict[str, list[list[str]]]) -> None:
    names["kb.example"] = [["10.1.2.3", "169.254.169.254"]]
    with pytest.raises(ForbiddenAddress, match=r"leads to 169\.254\.169\.254"):
        outbound.check("http://kb.example/", ["10.0.0.0/8"])


def test_a_file_is_fetched_with_what_is_said_of_it(site: Site, tmp_path: Path) -> None:
    site.pages["/a/tea.md?b=c"] = answer(200, "绿茶".encode(), content_type="text/markdown")
    file = download(site, "/a/tea.md?b=c", tmp_path)
    assert (file.status, file.content_type, file.filename, file.size) == (200, "text/markdown", "tea.md", 6)
    assert (tmp_path / "file").read_text() == "绿茶"


def test_a_redirect_is_followed_where_it_may_lead(site: Site, tmp_path: Path) -> None:
    site.pages["/old"] = answer(302, location="/new.txt")
    site.pages["/new.txt"] = answer(200, b"text")
    file = download(site, "/old", tmp_path)
    assert (file.status, file.filename) == (200, "new.txt")


@pytest.mark.parametrize(
    "location",
    ["http://localhost:{port}/secret", "http://[::1]:{port}/secret", "http://169.254.169.254/latest/meta-data",
     "//localhost:{port}/secret", "http://2130706433:{port}/secret", "file:///etc/passwd"],
)  # fmt: skip
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_private_address_is_refused(site: Site, tmp_path: Path, location: str, status: int) -> None:
    site.pages["/old"] = answer(status, location=location.format(port=site.port))
    site.pages["/secret"] = answer(200, b"secret")
    with pytest.raises(ForbiddenAddress):
        download(site, "/old", tmp_path)
    assert [path for path, _ in site.requests] == ["/old"]
    assert not (tmp_path / "file").exists()


def test_a_circle_of_redirects_ends(site: Site, tmp_path: Path) -> None:
    site.pages["/round"] = answer(302, location="/round")
    with pytest.raises(OutboundError, match="redirects more than"):
        download(site, "/round", tmp_path)
    assert len(site.requests) == outbound.MOST_REDIRECTS + 1


def test_a_post_follows_no_redirect(site: Site) -> None:
    site.pages["/old"] = answer(307, location="/new")
    response = outbound.post(site.url("/old"), b"{}", {}, timeout=20, allowed_hosts=[site.host])
    assert response.status == 307
    assert [path for path, _ in site.requests] == ["/old"]


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Chunks, without an end."""
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def test_an_answer_that_is_too_large_is_not_read_on(site: Site, tmp_path: Path) -> None:
    site.pages["/announced"] = answer(200, content_length=str(MIB + 1))
    site.pages["/endless"] = endless
    packed = gzip.compress(bytes(40 * MIB))
    site.pages["/packed"] = answer(200, packed, content_encoding="gzip")
    assert len(packed) < MIB
    for path in ("/announced", "/endless", "/packed"):
        with pytest.raises(TooLarge, match="larger than 1,048,576 bytes"):
            download(site, path, tmp_path)
    site.pages["/fits"] = answer(200, b"x" * MIB)
    assert download(site, "/fits", tmp_path).size == MIB


def test_of_an_answer_to_a_post_only_the_beginning_is_kept(site: Site) -> None:
    site.pages["/endless"] = endless
    response = outbound.post(site.url("/endless"), b"{}", {}, timeout=20, allowed_hosts=[site.host])
    assert (response.status, response.text) == (200, "x" * outbound.KEPT)


def silent(handler: BaseHTTPRequestHandler) -> None:
    """Nothing, until the client hangs up."""
    handler.connection.recv(1)


SLOW = {
    "silent": silent,
    "trickling headers": trickle(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
    "trickling body": trickle(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"x"),
    "trickling body without a length": trickle(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
}


@pytest.mark.parametrize("page", SLOW.values(), ids=SLOW)
def test_a_server_that_is_slow_is_left(site: Site, tmp_path: Path, page: Any) -> None:
    site.pages["/slow"] = page
    for ask in (
        lambda: download(site, "/slow", tmp_path, timeout=0.5),
        lambda: outbound.post(site.url("/slow"), b"{}", {}, timeout=0.5, allowed_hosts=[site.host]),
    ):
        with pytest.raises(OutboundError, match="in time"):
            ask()


def test_redirects_share_the_time(site: Site, tmp_path: Path) -> None:
    def late(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.4)
        answer(302, location="/late")(handler)

    site.pages["/late"] = late
    with pytest.raises(OutboundError, match="in time"):  # and not that there are too many
        download(site, "/late", tmp_path, timeout=1)


@pytest.mark.parametrize("page", [endless, *SLOW.values()], ids=["endless", *SLOW])
def test_a_download_that_is_no_longer_wanted_stops(site: Site, tmp_path: Path, page: Any) -> None:
    site.pages["/a"] = page
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(Interrupted):  # and not that it is late
        download(site, "/a", tmp_path, max_bytes=10**12, timeout=60, cancelled=cancelled.is_set)


@pytest.mark.parametrize(
    "said",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
     b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
     b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnone",
     b"HTTP/1.1 302 Found\r\nlocation: http://[::1\r\ncontent-length: 0\r\n\r\n"],
    ids=["nothing", "nonsense", "no length", "cut off", "nowhere", "no gzip", "no address"],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error_of_the_server(site: Site, tmp_path: Path, said: bytes) -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(said)
        handler.close_connection = True

    site.pages["/broken"] = page
    with pytest.raises((OutboundError, ForbiddenAddress)):
        file = download(site, "/broken", tmp_path)
        assert file.status == 302, "a redirect to nowhere is an answer without a document"
        raise OutboundError("so the caller says")


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(OutboundError):
            outbound.download(url, tmp_path / "file", max_bytes=1, timeout=5, allowed_hosts=["127.0.0.1"])


def test_proxies_of_the_environment_are_ignored(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.pages["/a"] = answer(200, b"text")
    assert download(site, "/a", tmp_path).status == 200


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), ("0", 0), ("soon", None), ("-1", None), ("", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
     ("1.5", None), ("1e9", None), ("0x10", None), ("1_0", None), ("\xb2", None), ("nan", None), ("inf", None),
     ("31000000000", 86_400), ("99999999999999", 86_400), ("9" * 400, None), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
     ("Mon, 01 Jan 0001 00:00:00 -0000", 0), ("Sat, 99 Foo 2015 07:28:00 GMT", None), ("x" * 5000, None)],
    ids=lambda value: str(value)[:12],
)  # fmt: skip
def test_a_wait_that_is_asked_for_is_understood(site: Site, value: str, seconds: float | None) -> None:
    site.pages["/busy"] = answer(503, retry_after=value)
    response = outbound.post(site.url("/busy"), b"{}", {}, timeout=20, allowed_hosts=[site.host])
    assert (response.status, response.retry_after) == (503, seconds)
