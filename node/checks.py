"""
What a node looks at before it votes: may it sign, does it compute as others do, can it write, is its clock right, is
settlement there. A few milliseconds and three syncs of the disk.

A node that fails one which voting hangs on follows and does not vote: its `CheckedSigner` says what is wrong
(`Withheld`), until it has looked again and all is well. Settlement may be away: the chain goes on without it by
design, and a whole network that starts meanwhile must, too.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from execution.vm.known import check_machine
from execution.vm.machine import Machine
from genesis.chain import Header
from genesis.crypto import checksum_address
from genesis.errors import Invalid, TenorError, Unavailable
from genesis.membership import Readiness
from genesis.spec import ChainSpec, genesis_hash
from node.consensus.doors import Signer, Withheld
from node.consensus.words import Rules, Said
from node.engine import on_engine_stack
from node.genesis_code import folder_plan
from node.log import logger
from node.recovery import stored_header
from node.store import Store
from settlement.adapter import SettlementAdapter

STORE_FOLDER = "store"
SYNCS = 3
SYNC_BYTES = 4_096
SYNC_MS_MAX = 2_000
"""In the middle. A vote is synced before it is sent; the shortest time-out of a view is a second."""
FREE_BYTES_MIN = 256 << 20
SETTLEMENT_S = 1.0
OLDER = "settlement holds block"
AGAIN_S = 5.0
"""How often a node that may not vote looks again."""

log = logger("checks")


@dataclass(frozen=True, slots=True)
class Finding:
    """What looking at one thing showed. told: what was found, or what is wrong and what to do. ms: how long it took."""

    name: str
    good: bool
    told: str
    ms: float
    needed: bool = True
    """Whether a node votes only if it is good."""


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is looked at. adapter: None while there is no settlement chain. newest: header of the newest stored block, None
    for none. alone: on a chain of one validator, which nobody else could have carried on.
    """

    folder: Path
    spec: ChainSpec
    signer: Signer
    adapter: SettlementAdapter | None
    newest: Header | None
    alone: bool
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


def newest_in(folder: Path, spec: ChainSpec) -> Header | None:
    """The newest block of a stopped node's folder, None for none. Raises Unavailable while the node runs."""
    if not (folder / STORE_FOLDER).is_dir():
        return None
    root = on_engine_stack(lambda: Machine(folder_plan(folder, spec)).genesis(spec))
    with Store(folder / STORE_FOLDER, genesis_hash(spec, root)) as store:
        row = store.header(store.head() or 0)
        return None if row is None else stored_header(row)[0]


async def look(subject: Subject) -> list[Finding]:
    """All of it, side by side, in a fixed order. Raises nothing that a check may find."""
    checks = (_sign, _execute, _disk, _clock, _settlement)
    found: dict[str, Finding] = {}

    async def one(check: Callable[[Subject], Awaitable[str]]) -> None:
        name = check.__name__.strip("_")
        began = time.perf_counter()
        try:
            good, told = True, await check(subject)
        except TenorError as error:
            good, told = False, str(error)
        ms = round(1_000 * (time.perf_counter() - began), 3)
        away = check is _settlement and not good and not told.startswith(OLDER)
        found[name] = Finding(name, good, told, ms, needed=not away)

    async with trio.open_nursery() as nursery:
        for check in checks:
            nursery.start_soon(one, check)
    return [found[check.__name__.strip("_")] for check in checks]


def why_not(findings: Sequence[Finding]) -> str:
    """What keeps a node from voting; empty for nothing."""
    wrong = [f"{one.name}: {one.told}" for one in findings if one.needed and not one.good]
    return f"a check failed: {'; '.join(wrong)}" if wrong else ""


class CheckedSigner:
    """A signer that signs while all that voting hangs on is well."""

    def __init__(self, signer: Signer, looks: Callable[[], Awaitable[Sequence[Finding]]]) -> None:
        self._signer, self._looks = signer, looks
        self._why = ""

    @property
    def address(self) -> bytes:
        return self._signer.address

    @property
    def addresses(self) -> tuple[bytes, ...]:
        return self._signer.addresses

    async def sign(self, said: Said, rules: Rules) -> bytes:
        self._check()
        return await self._signer.sign(said, rules)

    async def propose(self, header: Header) -> bytes:
        self._check()
        return await self._signer.propose(header)

    async def declare(self, ready: Readiness) -> bytes:
        self._check()
        return await self._signer.declare(ready)

    async def probe(self) -> None:
        await self._signer.probe()

    async def look(self) -> None:
        """Whether it may sign from now on."""
        findings = await self._looks()
        for one in findings:
            tell = log.debug if one.good else log.error if one.needed else log.warning
            tell("checked", what=one.name, good=one.good, found=one.told, ms=one.ms)
        self._why = why_not(findings)

    async def run(self) -> None:
        """Look again while something is wrong; until cancelled, or all is well."""
        while self._why:
            await trio.sleep(AGAIN_S)
            await self.look()

    def _check(self) -> None:
        if self._why:
            raise Withheld(self._why)


async def _sign(subject: Subject) -> str:
    await subject.signer.probe()
    return f"signs as {checksum_address(subject.signer.address)}"


async def _execute(subject: Subject) -> str:
    await trio.to_thread.run_sync(check_machine)
    return "a known program leaves what it has to"


async def _disk(subject: Subject) -> str:
    sync_ms, free = await trio.to_thread.run_sync(_sync_ms, subject.folder)
    if free < FREE_BYTES_MIN:
        needed = FREE_BYTES_MIN >> 20
        raise Unavailable(f"{free >> 20} MiB are free in {subject.folder}; free some, {needed} are needed")
    if sync_ms > SYNC_MS_MAX:
        raise Unavailable(f"a sync in {subject.folder} takes {sync_ms:.0f} ms, too long for a vote that waits for it")
    return f"{sync_ms:.1f} ms a sync, {free >> 20} MiB free"


def _sync_ms(folder: Path) -> tuple[float, int]:
    """The middle of a few syncs, and the bytes free. Raises Unavailable."""
    path, took = folder / f".check-{os.getpid()}", []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for _ in range(SYNCS):
                began = time.perf_counter()
                file.write(bytes(SYNC_BYTES))
                file.flush()
                os.fsync(file.fileno())
                took.append(1_000 * (time.perf_counter() - began))
        return statistics.median(took), shutil.disk_usage(folder).free
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            path.unlink()


async def _clock(subject: Subject) -> str:
    if subject.newest is None:
        return "no block to compare it with"
    behind_ms = subject.newest.time_ms - subject.now_ms()
    if behind_ms > subject.spec.time_ahead_ms_max:
        raise Unavailable(f"this clock is {behind_ms} ms behind block {subject.newest.height}; set it by NTP")
    return f"{-behind_ms} ms after block {subject.newest.height}"


async def _settlement(subject: Subject) -> str:
    if subject.adapter is None:
        raise Unavailable("there is no settlement chain where the configuration says")
    with trio.move_on_after(SETTLEMENT_S):
        head, committed = await subject.adapter.head(), await subject.adapter.committed()
        height = subject.newest.height if subject.newest else 0
        if subject.alone and committed.height > height:
            raise Invalid(
                f"{OLDER} {committed.height}, this folder ends at {height}: it is an older copy, and what it would "
                "sign contradicts what it has signed; restore the newest one"
            )
        return f"at block {head.settlement_height}, holds the chain up to {committed.height}"
    raise Unavailable(f"the settlement chain does not answer within {SETTLEMENT_S:g} s")
