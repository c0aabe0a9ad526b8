"""A validator alone whose blocks are asked for by hand: line, sequencer and ledger as in a node, without a clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from execution.vm.machine import Machine
from genesis.chain import Block, Certificate, VoteKind, certify, sign_vote
from genesis.devkeys import development_key
from genesis.membership import ValidatorSet
from genesis.spec import ChainSpec
from node.config import SequencerConfig
from node.consensus.doors import Certified, Kept
from node.consensus.signer import KeySigner
from node.consensus.words import Said
from node.engine import EngineThread
from node.heritage import Heirs
from node.ledger import ChainLedger
from node.line import Line
from node.membership import Membership
from node.mempool import Mempool
from node.recovery import Recovered
from node.sequencer import Inbox, Sequencer, Turn
from node.store import Store

KEY = development_key(0)


def certified(block: Block, spec: ChainSpec) -> Certificate:
    header = block.header
    digest = (VoteKind.FINALISE, spec.chain_id, header.height, header.view, header.hash(), header.validators)
    return certify([sign_vote(*digest, KEY)])


class Leading:
    """`open`, `cut`, `seal` and `store`, each when the test says so."""

    def __init__(
        self,
        spec: ChainSpec,
        config: SequencerConfig,
        store: Store,
        engine: EngineThread,
        machine: Machine,
        mempool: Mempool,
        inbox: Inbox,
        listener: Any,
        found: Recovered,
        now_ms: Callable[[], int],
        heirs: Heirs | None = None,
        key: bytes = KEY,
    ) -> None:
        self.spec = spec
        self.line = Line(spec, config.checkpoint_blocks, store, engine, machine, listener, found.tip, found.checkpoint)
        self.sequencer = Sequencer(
            spec, config, KeySigner(key), self.line, store, engine, machine, mempool, inbox, listener, now_ms=now_ms,
            heirs=heirs,
        )  # fmt: skip
        sets = (ValidatorSet(0, 0, spec.stakes),)
        members = Membership(spec, None, sets, lambda _: None, read=1 << 62)  # type: ignore[arg-type]
        self.ledger = ChainLedger(
            self.line, self.sequencer, store, mempool, members, None, 0, None,  # type: ignore[arg-type]
        )  # fmt: skip
        self.built: list[Block] = []

    async def open(self, *before: bytes) -> None:
        """Take up what was logged, or what leaders before had begun, or begin a block with what waits."""
        tip = self.line.newest()
        view = (tip.header.view if tip.header else 0) + 1 + len(before)
        self.sequencer.lead(Turn(view, tip.hash, self.built.append, again=True, late=bool(before), before=before))
        await self.sequencer._open()

    async def cut(self) -> None:
        async with self.line.turn:
            await self.sequencer._cut()

    async def seal(self) -> None:
        await self.sequencer._seal()

    async def store(self) -> None:
        """Votes and blocks, as consensus writes them; then a checkpoint, if one is due."""
        blocks, self.built[:] = tuple(self.built), []
        said = [
            Said(kind, block.header.view, block.header.height, block.hash())
            for block in blocks
            for kind in (VoteKind.NOTARISE, VoteKind.FINALISE)
        ]
        done = tuple(Certified(block, certified(block, self.spec)) for block in blocks)
        await self.ledger.keep(Kept(tuple(said), blocks, (), done))
        await self.line.written()

    async def beside(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run something while checkpoints are written."""
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.line.run)
                result = await work()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return result
