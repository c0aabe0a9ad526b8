"""
What clients may read: calls and gas a second, of each address and of all, so that reads never starve the core.

A bucket holds a second's worth and fills steadily. Calls are paid when they come; gas when it is known, so a bucket may
be in debt, and whoever comes then is told when it will not be.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from genesis.errors import Unavailable
from node.config import GatewayConfig

ADDRESSES_MAX = 8_192
"""Remembered; whoever was silent for longest is forgotten first."""
PREFIX_BITS = 64
"""Of an IPv6 address; who has one has the rest of it too."""
MS = 1000
GAS = "gas of reads"


class OverLimit(Unavailable):
    """The same request is answered later. limit: the number that was reached. retry_ms: how long to wait."""

    def __init__(self, limit: int, what: str, retry_ms: int) -> None:
        super().__init__(f"The limit is {limit} {what}; ask again in {retry_ms} ms.")
        self.limit, self.retry_ms = limit, retry_ms


class Bucket:
    def __init__(self, per_s: int, now_s: float) -> None:
        self.per_s, self._left, self._at_s = per_s, float(per_s), now_s

    def wait_s(self, amount: int, now_s: float) -> float:
        """Until so much is there: 0 when it is."""
        self._left = min(self.per_s, self._left + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        return max(0.0, (amount - self._left) / self.per_s)

    def pay(self, amount: int) -> None:
        self._left -= amount


class Caps:
    """Buckets of all addresses."""

    def __init__(self, limits: GatewayConfig, now_s: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._now_s = limits, now_s
        self._all = self._buckets(limits.read_calls_per_s, limits.read_gas_per_s)
        self._each: OrderedDict[str, tuple[Bucket, Bucket]] = OrderedDict()

    def ask(self, address: str) -> OverLimit | None:
        """Let a read in, and count it; or why not."""
        now_s, pairs = self._now_s(), self._of(address)
        for whose, (calls, gas) in pairs:
            if (wait_s := calls.wait_s(1, now_s)) > 0:
                return _refusal(whose, calls, "reads", wait_s)
            if (wait_s := gas.wait_s(0, now_s)) > 0:
                return _refusal(whose, gas, GAS, wait_s)
        for _, (calls, _) in pairs:
            calls.pay(1)
        return None

    def go_on(self, address: str) -> None:
        """Whether there is gas, before something dear begins. Raises OverLimit."""
        for whose, (_, gas) in self._of(address):
            if (wait_s := gas.wait_s(0, self._now_s())) > 0:
                raise _refusal(whose, gas, GAS, wait_s)

    def spent(self, address: str, amount: int) -> None:
        """Pay gas that a read has used."""
        for _, (_, gas) in self._of(address):
            gas.pay(amount)

    def _of(self, address: str) -> tuple[tuple[str, tuple[Bucket, Bucket]], ...]:
        group = _group(address)
        limits = self._limits
        if group not in self._each:
            self._each[group] = self._buckets(limits.read_calls_address_per_s, limits.read_gas_address_per_s)
            if len(self._each) > ADDRESSES_MAX:
                self._each.popitem(last=False)
        self._each.move_to_end(group)
        return (("from one address", self._each[group]), ("from all together", self._all))

    def _buckets(self, calls: int, gas: int) -> tuple[Bucket, Bucket]:
        return Bucket(calls, self._now_s()), Bucket(gas, self._now_s())


def _refusal(whose: str, bucket: Bucket, what: str, wait_s: float) -> OverLimit:
    return OverLimit(bucket.per_s, f"{what} a second {whose}", int(wait_s * MS) + 1)


def _group(address: str) -> str:
    """The address, of IPv6 its network; text that is none stands for itself."""
    if ":" not in address:
        return address
    ip = ipaddress.IPv6Address(address.partition("%")[0])
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, PREFIX_BITS), strict=False))
