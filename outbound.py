"""HTTP to the outside: never to a private address, never further than was checked, never without a bound."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2

from settings import VERSION

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CONNECT_SECONDS = 5.0
#: Seconds between two looks at whether an answer is still wanted.
LOOK_EVERY = 0.2
#: Redirects that a download follows; each is checked like the first address.
MOST_REDIRECTS = 5
#: Characters of an answer that are kept for people.
KEPT = 1000
#: Characters of a header that holds a number or a date.
LONGEST_HEADER = 64
#: Seconds that another server may ask to be waited: a day.
LONGEST_WAIT = 86_400.0

#: What is not public, from IANA's registries of special-purpose addresses, of multicast, and of the IPv6 address space
#: (iana.org/assignments: iana-ipv4-special-registry, iana-ipv6-special-registry, multicast-addresses,
#: ipv6-address-space). Kept here, since what Python calls global differs between its patch releases. An anycast
#: address of a protocol is no web server's: it counts as special, too.
SPECIAL = (
    "0.0.0.0/8",  # this network (RFC 791)
    "10.0.0.0/8",  # private (RFC 1918)
    "100.64.0.0/10",  # shared by the customers of a provider (RFC 6598)
    "127.0.0.0/8",  # loopback (RFC 1122)
    "169.254.0.0/16",  # link-local, and the metadata of clouds (RFC 3927)
    "172.16.0.0/12",  # private (RFC 1918)
    "192.0.0.0/24",  # of protocols (RFC 6890), and the metadata of one cloud
    "192.0.2.0/24",  # documentation (RFC 5737)
    "192.31.196.0/24",  # AS112 (RFC 7535)
    "192.52.193.0/24",  # AMT (RFC 7450)
    "192.88.99.0/24",  # relays of 6to4, deprecated (RFC 7526)
    "192.168.0.0/16",  # private (RFC 1918)
    "192.175.48.0/24",  # AS112 (RFC 7534)
    "198.18.0.0/15",  # benchmarks (RFC 2544)
    "198.51.100.0/24",  # documentation (RFC 5737)
    "203.0.113.0/24",  # documentation (RFC 5737)
    "224.0.0.0/4",  # multicast (RFC 5771)
    "240.0.0.0/4",  # reserved, and broadcast (RFC 1112, RFC 8190)
    "2001::/23",  # of protocols: Teredo, benchmarks, ORCHID (RFC 2928)
    "2001:db8::/32",  # documentation (RFC 3849)
    "2620:4f:8000::/48",  # AS112 (RFC 7534)
    "3fff::/20",  # documentation (RFC 9637)
)
#: All that IANA gives out as global unicast (RFC 4291, RFC 3587). Outside of it lie, among others, loopback, `::/96`,
#: SIIT (RFC 2765), local NAT64 (64:ff9b:1::/48, RFC 8215), discard-only and dummy (100::/64, 100:0:0:1::/64), segment
#: routing (5f00::/16), unique local (fc00::/7), link-local (fe80::/10), site-local (fec0::/10), multicast (ff00::/8).
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: An IPv4 address in the last 32 bits, translated by whoever is on the way (RFC 6052).
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
#: The 32 bits before an IPv4 address that is tunnelled to (ISATAP, RFC 5214).
ISATAP = (0x00005EFE, 0x02005EFE)

_SPECIAL_4 = [ipaddress.IPv4Network(network) for network in SPECIAL if ":" not in network]
_SPECIAL_6 = [ipaddress.IPv6Network(network) for network in SPECIAL if ":" in network]


def _never() -> bool:
    return False


class ForbiddenAddress(ValueError):
    """The URL is not one that may be reached from here; no other attempt would change that."""


class OutboundError(Exception):
    """The exchange failed: no connection, no answer in time, or too much of one."""


class TooLarge(OutboundError):
    """The answer is larger than the caller takes."""


class Interrupted(OutboundError):
    """The caller no longer wants the answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL whose host was resolved and may be reached: the connection goes to `address`, whatever DNS says later."""

    url: httpx2.URL
    address: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the seconds that were asked to be waited, and the beginning of the body."""

    status: int
    retry_after: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that was fetched, with what the server said of it."""

    status: int
    retry_after: float | None
    content_type: str | None
    filename: str | None
    size: int


def check(url: str, allowed_hosts: Sequence[str] = ()) -> Target:
    """Resolve a URL's host once, and refuse what does not lie outside.

    Parameters:
      allowed_hosts: hosts, `host:port`, or networks such as `10.0.0.0/8`, that may be private; in small letters.

    Raises:
      ForbiddenAddress: not http(s), with credentials, or with any address that is not global.
      OutboundError: the name does not resolve.
    """
    # No message quotes the URL: its path or its query may hold what opens a door.
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        raise ForbiddenAddress("the address is not a URL") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ForbiddenAddress("the address is not an http(s) URL with a host")
    if parsed.userinfo:
        raise ForbiddenAddress("the URL holds a user name or password; send none in a URL")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    allowed = _is_named(parsed, port, allowed_hosts)
    networks = [ipaddress.ip_network(host) for host in allowed_hosts if "/" in host]
    try:
        entries = socket.getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundError(f"{parsed.host} cannot be resolved: {error}") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in entries]
    for address in addresses:
        if not allowed and not _may_be_reached(ipaddress.ip_address(address), networks):
            raise ForbiddenAddress(f"{parsed.host} leads to {address}, which is not a public address")
    return Target(parsed, addresses[0])


def _is_named(url: httpx2.URL, port: int, allowed_hosts: Sequence[str]) -> bool:
    """Return whether a URL's host is one of these, as it is written and as DNS is asked for it."""
    hosts = {url.host, url.raw_host.decode("ascii")}
    shown = hosts | {f"[{host}]" for host in hosts if ":" in host}
    return not (shown | {f"{host}:{port}" for host in shown}).isdisjoint(allowed_hosts)


def _may_be_reached(address: Address, networks: Sequence[Network]) -> bool:
    inner = getattr(address, "ipv4_mapped", None) or address
    return is_outside(address) or any(inner in network for network in networks)


def host_of(url: str) -> str:
    """Return what a message or a log says of a URL: its host."""
    try:
        return httpx2.URL(url).host or "the server"
    except (httpx2.InvalidURL, TypeError):
        return "the server"


def is_outside(address: Address) -> bool:
    """Return whether an address is public; one that carries an IPv4 address within is as public as that."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    inner = address.ipv4_mapped or address.sixtofour
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in TRANSLATED:
        inner = last
    if inner is not None:
        return is_outside(inner)
    if (int(address) >> 32) & 0xFFFFFFFF in ISATAP and not is_outside(last):
        return False
    return address in GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_6)


def post(
    url: str, body: bytes, headers: dict[str, str], *, timeout: float, allowed_hosts: Sequence[str] = ()
) -> Answer:
    """Post a body. No redirect is followed.

    Parameters:
      timeout: seconds for the whole exchange.

    Raises:
      ForbiddenAddress, OutboundError.
    """
    deadline = time.monotonic() + timeout
    with _exchange("POST", check(url, allowed_hosts), deadline, content=body, headers=headers) as response:
        text = b""
        for part in _parts(response, deadline, _never):
            text += part
            if len(text) > KEPT * 4:
                break
        return Answer(response.status_code, retry_after(response.headers), text.decode("utf-8", "replace")[:KEPT])


def download(
    url: str,
    path: Path,
    *,
    max_bytes: int,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    allowed_hosts: Sequence[str] = (),
    cancelled: Callable[[], bool] = _never,
) -> Downloaded:
    """Fetch a URL into a file. A redirect is followed after its address has been checked as well.

    Parameters:
      headers: what else is said to the server of the URL; never to another one, nor to it after another one was asked.
      max_bytes: more is refused, as soon as it is announced or has come.
      timeout: seconds for everything.
      cancelled: asked all the time, by another thread too; True stops it, whatever is being waited for.

    Raises:
      ForbiddenAddress, OutboundError; TooLarge; Interrupted when `cancelled` said so.
    """
    deadline = time.monotonic() + timeout
    target = check(url, allowed_hosts)
    said = {"accept": "*/*", **{name.lower(): value for name, value in (headers or {}).items()}}
    for _ in range(MOST_REDIRECTS + 1):
        with _exchange("GET", target, deadline, cancelled, headers=said) as response:
            if response.has_redirect_location:
                onward = check(_onward(target.url, response.headers["location"]), allowed_hosts)
                if _origin(onward.url) != _origin(target.url):
                    said = {"accept": "*/*"}
                target = onward
                continue
            size = 0
            if _announced(response.headers) > max_bytes:
                raise TooLarge(f"the answer of {target.url.host} is larger than {max_bytes:,} bytes")
            with path.open("wb") as file:
                for part in _parts(response, deadline, cancelled):
                    size += len(part)
                    if size > max_bytes:
                        raise TooLarge(f"the answer of {target.url.host} is larger than {max_bytes:,} bytes")
                    file.write(part)
            name = Path(target.url.path).name or None
            kind = response.headers.get("content-type")
            return Downloaded(response.status_code, retry_after(response.headers), kind, name, size)
    raise OutboundError(f"{target.url.host} redirects more than {MOST_REDIRECTS} times")


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _onward(url: httpx2.URL, location: str) -> str:
    try:
        return str(url.join(location))
    except httpx2.InvalidURL:
        raise ForbiddenAddress(f"{url.host} redirects to what is not a URL") from None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, LONGEST_WAIT at most; None without a good one.

    It holds whole seconds or a date (RFC 9110, 10.2.3). What another server sends is not to be trusted: a number
    beyond all bounds would be a task that never runs again.

    Parameters:
      headers: whose names are in small letters, or in any where the mapping does not care.
    """
    value = headers.get("retry-after", "").strip()
    if not value.isascii() or len(value) > LONGEST_HEADER:
        return None
    if value.isdigit():
        return min(float(value), LONGEST_WAIT)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


def _announced(headers: httpx2.Headers) -> int:
    """Return the bytes that `Content-Length` announces; 0 where it says nothing that can be believed."""
    value = headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= LONGEST_HEADER else 0


@contextmanager
def _exchange(
    method: str, target: Target, deadline: float, cancelled: Callable[[], bool] = _never, **request: Any
) -> Iterator[httpx2.Response]:
    """Send one request to the address that was checked; the name is still what TLS verifies and what Host says."""
    host = target.url.netloc.decode("ascii")
    headers = {"user-agent": f"task-manager/{VERSION}", **request.pop("headers", {}), "host": host}
    seconds = max(0.1, deadline - time.monotonic())
    limits = httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    try:
        # Proxies of the environment are ignored: the check would be theirs to undo.
        with (
            _hanging_up(seconds, cancelled) as follow,
            httpx2.Client(trust_env=False, timeout=limits, follow_redirects=False) as client,
            client.stream(
                method,
                target.url.copy_with(host=target.address),
                headers=headers,
                extensions={"sni_hostname": target.url.host, "trace": follow},
                **request,
            ) as response,
        ):
            yield response
    except httpx2.HTTPError as error:
        _go_on(target.url.host, deadline, cancelled)
        if isinstance(error, httpx2.TimeoutException):
            raise OutboundError(f"{target.url.host} did not answer in time") from None
        raise OutboundError(f"{target.url.host}: {type(error).__name__}: {error}") from None


@contextmanager
def _hanging_up(seconds: float, cancelled: Callable[[], bool]) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Hang up after so many seconds, or when nobody wants the answer any more.

    A server that lets fall a byte now and then would never run out of the client's own time, and one that says nothing
    would be waited for by whoever has been cancelled.

    Yields:
      what is told of each connection that is made.
    """
    deadline = time.monotonic() + seconds
    sockets: list[socket.socket] = []
    over = threading.Event()

    def follow(event: str, facts: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            sockets.append(facts["return_value"].get_extra_info("socket"))

    def watch() -> None:
        while not over.wait(LOOK_EVERY):
            if time.monotonic() >= deadline or cancelled():
                for connection in sockets:
                    # One that TLS has taken over, or that is closed by now.
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    watching = threading.Thread(target=watch, name="hanging up", daemon=True)
    watching.start()
    try:
        yield follow
    finally:
        over.set()


def _parts(response: httpx2.Response, deadline: float, cancelled: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the body as it comes, as long as there is time: a server that trickles does not hold a worker for ever."""
    host = response.request.headers["host"]
    for part in response.iter_bytes():
        _go_on(host, deadline, cancelled)
        yield part
    # Where no length was announced, to hang up ends it like any other end.
    _go_on(host, deadline, cancelled)


def _go_on(host: str, deadline: float, cancelled: Callable[[], bool]) -> None:
    """Stop an exchange that is not wanted any more, or takes too long.

    Raises:
      Interrupted, OutboundError.
    """
    if cancelled():
        raise Interrupted(f"the exchange with {host} was stopped")
    if time.monotonic() >= deadline:
        raise OutboundError(f"{host} did not answer in time")
