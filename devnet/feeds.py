"""
Where the devnet's prices come from: a seeded model, or recorded quote ticks played faster than they happened.

A recorded file is a LEAN quote zip: one CSV inside, a row a tick, `milliseconds since midnight,bid,ask`; rows with
bid ≥ ask are dropped, as are rows that go back in time.
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from genesis.errors import Invalid

STEP_MS = 50
CSV_BYTES_MAX = 512 << 20
PLACES = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Tick:
    """after_ms: since the feed began, in the devnet's time. confidence: half of the spread."""

    after_ms: int
    price: Decimal
    confidence: Decimal


@dataclass(frozen=True, slots=True)
class Model:
    """
    A seeded random walk that reverts to a moving anchor, with one fall and one recovery.

    volatility: standard deviation of one step, as a fraction. shock: size of the fall as a fraction, spread over
    shock_ms from shock_at_ms on; the recovery follows twice as late.
    """

    start: Decimal = Decimal(30_000)
    volatility: float = 0.0003
    shock: float = 0.06
    shock_at_ms: int = 6_000
    shock_ms: int = 1_500

    def ticks(self, seed: int) -> Iterator[Tick]:
        """Ticks without end, one each STEP_MS; the same for the same seed."""
        source = random.Random(seed)
        price = float(self.start)
        after_ms = 0
        while True:
            yield Tick(after_ms, Decimal(price).quantize(Decimal("0.01")), Decimal(price * 0.0001).quantize(PLACES))
            after_ms += STEP_MS
            price *= 1 + source.gauss(0, self.volatility) + self._drift(after_ms)

    def _drift(self, after_ms: int) -> float:
        steps = self.shock_ms / STEP_MS
        if self.shock_at_ms <= after_ms < self.shock_at_ms + self.shock_ms:
            return -self.shock / steps
        if 2 * self.shock_at_ms <= after_ms < 2 * self.shock_at_ms + self.shock_ms:
            return self.shock / steps
        return 0.0


def replay(path: Path, speed: int) -> Iterator[Tick]:
    """
    Ticks of a recorded file, `speed` times as fast as they were recorded.

    Raises:
        Invalid: the file is no such zip, or a row does not read; names file, row and what is expected.
    """
    first: int | None = None
    last = 0
    for number, line in enumerate(_rows(path), 1):
        time_ms, bid, ask = _row(path, number, line)
        if bid >= ask or time_ms < last:
            continue
        first = time_ms if first is None else first
        last = time_ms
        yield Tick((time_ms - first) // speed, ((bid + ask) / 2).quantize(PLACES), ((ask - bid) / 2).quantize(PLACES))
    if first is None:
        raise Invalid(f"{path} has no tick with bid below ask.", "bad_feed")


def _rows(path: Path) -> Iterator[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1 or archive.getinfo(names[0]).file_size > CSV_BYTES_MAX:
                raise Invalid(f"{path} holds {len(names)} files; a quote zip holds one CSV, up to 512 MiB.", "bad_feed")
            with archive.open(names[0]) as raw:
                yield from io.TextIOWrapper(raw, encoding="ascii", errors="replace")
    except (OSError, zipfile.BadZipFile) as error:
        raise Invalid(f"{path} is no readable zip: {error}.", "bad_feed") from error


def _row(path: Path, number: int, line: str) -> tuple[int, Decimal, Decimal]:
    try:
        time_ms, bid, ask = line.strip().split(",")
        return int(time_ms), Decimal(bid), Decimal(ask)
    except (ValueError, InvalidOperation) as error:
        message = f"{path}, row {number}: expected `milliseconds,bid,ask`, found {line.strip()[:60]!r}."
        raise Invalid(message, "bad_feed") from error
