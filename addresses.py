"""What an address may be that a setting names or a client says: hosts, roots, and URLs without credentials."""

from __future__ import annotations

import ipaddress
import re

from sentences import say

#: A user name, with or without a password, before the host of a URL.
CREDENTIALS = re.compile(r"[^/?#]*//[^/?#]*@")


def without_credentials(url: str | None) -> str | None:
    """Refuse an address with credentials, as it is stored, shown and called.

    Raises:
      ValueError: when it holds a user name or password.
    """
    if url is not None and CREDENTIALS.match(url):
        raise ValueError(say("credentials"))
    return url


def hosts(entries: list[str]) -> list[str]:
    """Return hosts that may be private, in small letters: `host`, `host:port`, or a network such as `10.0.0.0/8`.

    Raises:
      ValueError: one of them is something else.
    """
    for entry in entries:
        if "://" in entry:
            raise ValueError("names an address; name a host, host:port or a network")
        if "/" in entry and not _is_network(entry):
            raise ValueError("names a network that is none")
    return [entry.lower() for entry in entries]


def roots(entries: list[str]) -> list[str]:
    """Return what documents may lie below, such as `s3://bucket/prefix`, with its scheme in small letters.

    Raises:
      ValueError: one of them is no such root, or holds a user name or password.
    """
    addresses = []
    for entry in entries:
        scheme, _, rest = entry.partition("://")
        below = rest if scheme.lower() == "file" else f"/{rest}"
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or not re.match(r"/+[^/]", below) or "::" in entry:
            raise ValueError("names no root such as s3://bucket/prefix or file:///srv/docs")
        if scheme.lower() in ("http", "https", "local"):
            raise ValueError(
                "names a root that is not for here: hosts are for SOURCE_ALLOWED_HOSTS, folders are file://"
            )
        without_credentials(entry)
        addresses.append(f"{scheme.lower()}://{rest.rstrip('/')}")
    return addresses


def overlap(one: str, other: str) -> bool:
    """Return whether one of two addresses lies below the other, or both are the same."""
    one, other = (f"{address.rstrip('/')}/" for address in (one, other))
    return one.startswith(other) or other.startswith(one)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
