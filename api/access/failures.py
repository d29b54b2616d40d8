"""Failed sign-ins, counted by the address that they come from."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict

import falcon

from sentences import say

#: Failures of one address that may come at once, and seconds until it has another.
AT_ONCE, EVERY = 10, 30.0
#: Addresses that are remembered; the one that failed longest ago is forgotten for another.
MOST = 10_000


class Failures:
    """What one process knows of failed sign-ins. Nothing is written for them: whoever has no key costs no table."""

    def __init__(self) -> None:
        self._over_at: OrderedDict[str, float] = OrderedDict()
        """By address when all of its failures will be forgotten, each after EVERY seconds."""

    def refuse(self, address: str) -> None:
        """Refuse an address that has failed too often.

        Raises:
          falcon.HTTPTooManyRequests: says when it may try again.
        """
        left = self._over_at.get(_network(address), 0.0) - time.monotonic() - (AT_ONCE - 1) * EVERY
        if left > 0:
            raise falcon.HTTPTooManyRequests(
                title="Too Many Requests",
                description=say("sign_ins"),
                retry_after=math.ceil(left),
            )

    def count(self, address: str) -> None:
        """Count a failure."""
        network = _network(address)
        self._over_at[network] = max(self._over_at.pop(network, 0.0), time.monotonic()) + EVERY
        while len(self._over_at) > MOST:
            self._over_at.popitem(last=False)


def _network(address: str) -> str:
    """Return an address as it is counted: of IPv6 the /64, which one holder has whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
