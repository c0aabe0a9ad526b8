"""
The node, drawn on one screen: what is opened, in which order, and what runs beside what.

    engine, store, settlement → snapshots served · come level (recovery, or a snapshot from peers) → nursery:
        entrance · gateway process · vitals · pruner · store check · disk pace · bound of what is mapped ·
        life: inbox · batcher · line · ledger · consensus · forwarder · sequencer, candidacy beside it
        or, of a node that follows, following: line · batcher · ranges · sending

A failure of any service ends all; what was acknowledged is on disk, and the next start goes on from there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from execution.executor import Executor
from execution.vm.machine import Machine
from genesis.crypto import ZERO_ADDRESS
from genesis.errors import Corrupt, Invalid, TenorError, Unavailable
from genesis.spec import ChainSpec, genesis_hash
from node.batcher import Stages
from node.candidacy import Candidacy
from node.checks import CheckedSigner, Subject, look
from node.compiled import genesis_code, give_engine
from node.config import Config
from node.consensus.doors import Signer
from node.consensus.signer import KeySigner, Successive
from node.corelink import link_path
from node.engine import EngineThread
from node.entrance import Entrance
from node.faults.capture import capture
from node.gateway.frames import WATCH
from node.gateway_process import Gateway
from node.genesis_code import folder_plan
from node.life import Life, Place
from node.log import logger
from node.mapped import keep_small
from node.membership import stored_sets
from node.mempool import Mempool
from node.meters import Meters
from node.recovery import Recovered
from node.service import Service
from node.store import Store
from node.store_check import StoreCheck
from node.store_swap import finish
from node.sync.following import Following
from node.sync.joining import come_level
from node.sync.leap import Leap, Leaps
from node.sync.pruning import Pruner
from node.sync.serving import Snapshots
from node.vitals.core import Vitals
from p2p.network import Network
from settlement.adapter import SettlementAdapter
from settlement.contract import Terms
from settlement.local import open_local, wall_clock_ms

STORE_FOLDER = "store"
SETTLEMENT_POLLS_A_BLOCK = 4

log = logger("node")


@dataclass(frozen=True, slots=True)
class Ready:
    """What a started node tells: its port, where it stands, and how to end it."""

    port: int
    height: int
    replayed: int
    stop: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the services of a node share, as long as it runs."""

    config: Config
    spec: ChainSpec
    signer: Signer | None
    place: Place | None
    leaps: Leaps
    store: Store
    engine: EngineThread
    executor: Executor
    adapter: SettlementAdapter
    gateway: Gateway
    entrance: Entrance
    meters: Meters
    genesis_root: bytes
    mempool: Mempool
    stages: Stages


async def run_node(
    config: Config,
    spec: ChainSpec,
    key: bytes | Signer | None,
    place: Place | None = None,
    leaps: Leaps | None = None,
    *,
    task_status: trio.TaskStatus[Ready] = trio.TASK_STATUS_IGNORED,
) -> None:
    """
    Run until cancelled or stopped, or until it has to begin again, as `leaps` says then (`lives`).

    Args:
        key: the validator's private key, or who holds it; None for a node that only follows.
        place: among the other validators; None on a chain of one.

    Raises:
        Invalid: the folder is another chain's, or the key is no validator's and nobody else is there to follow.
        Unavailable: the folder or the port is taken.
        Corrupt: disk or engine failed; nothing further was signed.
    """
    folder = config.node.folder
    folder.mkdir(parents=True, exist_ok=True)
    signer = KeySigner(key) if isinstance(key, bytes) else key
    with _single_error():
        await _run(config, spec, signer, place, leaps or Leaps(), task_status)


async def _run(
    config: Config,
    spec: ChainSpec,
    signer: Signer | None,
    place: Place | None,
    leaps: Leaps,
    task_status: trio.TaskStatus[Ready],
) -> None:
    folder = config.node.folder
    again, leaps.due = leaps.due, False
    open_settlement = open_local(
        config.settlement.file, Terms.of(spec), config.settlement.block_time_ms, wall_clock_ms,
        poster=signer.address if signer else None,
    )  # fmt: skip
    gateway = Gateway(config.gateway, link_path(folder))
    await gateway.check_port()
    async with trio.open_nursery() as beside, _engine() as engine:
        beside.start_soon(gateway.run)
        give_engine(spec)
        executor = Machine(folder_plan(folder, spec, genesis_code))
        root = await engine.run(executor.genesis, spec)
        finish(folder)
        with Store(folder / STORE_FOLDER, genesis_hash(spec, root)) as store:
            if place is None:
                assert signer is not None, "who follows has somebody to follow"
                check_validator(spec, store, signer.address)
            check_settlement(config.settlement.file, spec, store, signer.address if signer else None)
            async with open_settlement as adapter, _answering(place), trio.open_nursery() as nursery:
                if place is not None:
                    snapshots = Snapshots(store, place.network)
                    snapshots.serve()
                    await nursery.start(snapshots.run)
                meters = Meters()
                entrance = Entrance(gateway, link_path(folder), meters.sync, nursery)
                recovered = await come_level(
                    spec, store, engine, executor, root, place, adapter,
                    leaps.behind_blocks if again else config.sync.snapshot_blocks, again, meters.sync,
                    partial(nursery.start_soon, entrance.open),
                )  # fmt: skip
                opened = _Opened(
                    config, spec, signer, place, leaps, store, engine, executor, adapter, gateway, entrance, meters,
                    root, Mempool(spec, config.sequencer.mempool_transactions_max), Stages(),
                )  # fmt: skip
                await _serve(opened, recovered, task_status)
                nursery.cancel_scope.cancel()


async def _serve(opened: _Opened, recovered: Recovered, task_status: trio.TaskStatus[Ready]) -> None:
    o = opened
    async with trio.open_nursery() as nursery:
        service = Service(o.spec, o.store, o.engine, o.executor, o.mempool, o.stages, o.meters.sync)
        service.link = o.entrance.link

        async def answer(method: str, payload: Any) -> Any:
            return await vitals.report() if method == WATCH else await service.handle(method, payload)

        def end() -> None:
            o.gateway.stop()
            nursery.cancel_scope.cancel()

        life = await _life(o, service, recovered, nursery)
        check = StoreCheck(o.store)
        vitals = Vitals(
            o.spec, o.config.node.folder, o.store, o.engine, o.executor, o.mempool, o.stages, o.meters, life,
            o.config.settlement.block_time_ms, check, o.adapter,
        )  # fmt: skip
        await life.begin(recovered)

        async def live(task_status: trio.TaskStatus[None]) -> None:
            await life.run(task_status=task_status)
            end()

        async def leap(network: Network) -> None:
            behind = o.config.sync.snapshot_blocks
            await Leap(o.spec, o.store, network, o.adapter, behind, life, o.leaps, o.meters.sync).wait_due()
            end()

        pruner, pace = Pruner(o.spec, o.store, o.config.sync, o.stages), o.store.pace
        for task in (live, pruner.run, check.run, pace.run, partial(keep_small, o.store.path), vitals.run):
            await nursery.start(task)
        o.entrance.answer, o.meters.sync.begun = answer, ""
        port = await o.entrance.open()
        task_status.started(Ready(port, o.store.head() or 0, recovered.replayed, life.stop))
        log.info("node runs", port=port, height=o.store.head() or 0, replayed=recovered.replayed)
        if o.place is not None:
            nursery.start_soon(leap, o.place.network)
        if isinstance(life, Life):
            candidacy = Candidacy(
                o.spec, o.adapter, o.store, life.signer, o.stages, life.unready, life.sets,
                lambda: life.line.tip.anchor.number, o.config.settlement.block_time_ms / 1000,
            )  # fmt: skip
            service.entering = lambda: candidacy.told
            nursery.start_soon(candidacy.run)


async def _life(opened: _Opened, service: Service, recovered: Recovered, nursery: trio.Nursery) -> Life | Following:
    """A validator's, who looks at itself before and while it signs; or that of a node that only follows."""
    o = opened
    poll_s = o.config.settlement.block_time_ms / 1000 / SETTLEMENT_POLLS_A_BLOCK
    if o.signer is None:
        assert o.place is not None, "who follows has somebody to follow"
        return Following(
            o.spec, o.config.sequencer, o.store, o.engine, o.executor, o.adapter, service, o.stages, poll_s, o.place,
            o.meters, partial(capture, o.spec, genesis_hash(o.spec, o.genesis_root), ZERO_ADDRESS),
        )  # fmt: skip
    subject = Subject(o.config.node.folder, o.spec, o.signer, o.adapter, recovered.tip.header, o.place is None)
    checked = CheckedSigner(o.signer, partial(look, subject))
    await checked.look()
    nursery.start_soon(checked.run)
    life = Life(
        o.spec, o.config.sequencer, checked, o.store, o.engine, o.executor, o.adapter, o.mempool, service, o.stages,
        poll_s, o.genesis_root, o.meters, o.place,
    )  # fmt: skip
    if isinstance(o.signer, Successive):
        o.signer.in_set = life.certifies
    return life


@contextmanager
def _single_error() -> Iterator[None]:
    """What a service raised, out of the groups its nurseries put around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        errors = list(_leaves(group))
        worst = [error for kind in (Corrupt, Invalid, Unavailable) for error in errors if isinstance(error, kind)]
        if worst and all(isinstance(error, TenorError | trio.Cancelled) for error in errors):
            raise worst[0] from group
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


@asynccontextmanager
async def _answering(place: Place | None) -> AsyncIterator[None]:
    """What peers ask is answered no longer than there are a store and an engine to answer from."""
    try:
        yield
    finally:
        if place is not None:
            with trio.CancelScope(shield=True):
                await place.network.retire()


@asynccontextmanager
async def _engine() -> AsyncIterator[EngineThread]:
    engine = EngineThread()
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def check_validator(spec: ChainSpec, store: Store, address: bytes) -> None:
    """Raise Invalid unless the address is of some validator set, as far as this node knows them."""
    if not any(address in one.stakes for one in stored_sets(spec, store)):
        raise Invalid(f"0x{address.hex()} is no validator of this chain; use the key of one.", "not_validator")


def check_settlement(file: Path, spec: ChainSpec, store: Store, address: bytes | None) -> None:
    """
    Raise Unavailable when the settlement chain is missing and this node is none that begins it: an empty one of its own
    would tell it nothing of who validates, or take its postings.

    Args:
        address: the validator's, None for a node that only follows.
    """
    if not file.exists() and (address not in spec.stakes or store.head()):
        raise Unavailable(
            f"There is no settlement chain at {file}, and this node's chain has one: name its file with "
            "settlement.file, or bring it back."
        )


def store_path(folder: Path) -> Path:
    return folder / STORE_FOLDER
