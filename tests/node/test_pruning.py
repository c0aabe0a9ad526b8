"""Old blocks are forgotten within the operator's bounds, and nothing that somebody needs."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from genesis import codec
from genesis.chain import Receipt
from genesis.crypto import sha256
from genesis.errors import Corrupt, Invalid
from genesis.header import commitment_span
from genesis.presets import load_preset
from node.batcher import Stages
from node.config import SyncConfig
from node.ledger import certified_blocks
from node.store import _BODY, Position, Store, StoredBlock
from node.sync.pruning import PEERS_BLOCKS, Pruner

SPEC = load_preset("devnet")
SPAN = SPEC.commitment_blocks
BODY_BYTES = 4 << 10
HEAD = PEERS_BLOCKS + 20 * SPAN


def block(height: int) -> StoredBlock:
    identity = sha256(b"%d" % height)
    receipt = Receipt(identity, height, 0, "done", "", 1, 0, (), (), (0, 0), None)
    results = codec.encode_array_of((codec.encode_array_of((receipt.encode(),)), codec.encode(()), codec.encode(())))
    body = b"".join(sha256(b"%d %d" % (height, part)) for part in range(BODY_BYTES // 32))
    return StoredBlock(height, b"header", body, results, (identity,))


def fill(store: Store, head: int = HEAD, checkpoint: int = HEAD) -> None:
    store.put([block(height) for height in range(1, head + 1)])
    store.put_checkpoint(checkpoint, b"meta", ())


def floor(store: Store, final: int = HEAD, **bounds: int) -> int:
    return Pruner(SPEC, store, SyncConfig(**bounds), Stages(final, final)).floor()


def test_all_is_kept_unless_there_is_a_bound(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        fill(store)
        assert floor(store) == 1


@pytest.mark.parametrize(
    ("what", "final", "checkpoint", "keep", "needed"),
    [
        ("the operator's bound", HEAD, HEAD, HEAD - 3 * SPAN, 3 * SPAN + 1),
        ("peers a little behind", HEAD, HEAD, 1, HEAD + 1 - PEERS_BLOCKS),
        ("what is not final", 5 * SPAN, HEAD, 1, 5 * SPAN + 1),
        ("what follows the checkpoint", HEAD, 2 * SPAN, 1, 2 * SPAN + 1 - SPEC.deployment_delay_blocks),
        ("nothing known of settlement", 0, HEAD, 1, 1),
    ],
)
def test_what_somebody_needs_stays(
    tmp_path: Path, what: str, final: int, checkpoint: int, keep: int, needed: int
) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        fill(store, checkpoint=checkpoint)
        assert floor(store, final, keep_blocks=keep) == commitment_span(needed, SPAN)[0], what


def test_a_bound_in_bytes_keeps_the_newest_blocks(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        fill(store, head=3 * PEERS_BLOCKS)
        store.compact_pruned()
        store._db.compact_range()  # sizes are told of what is on disk
        bound = 2 * PEERS_BLOCKS * BODY_BYTES
        first = floor(store, 3 * PEERS_BLOCKS, keep_mib=bound >> 20)
        assert first > 1
        assert store.size(first, 3 * PEERS_BLOCKS) <= bound + SPAN * 2 * BODY_BYTES
        assert store.size(1, 3 * PEERS_BLOCKS) > bound


def test_pruned_blocks_go_with_their_index_and_whoever_asks_is_told(tmp_path: Path) -> None:
    async def run(bounds: SyncConfig, until: int) -> None:
        pruner = Pruner(SPEC, store, bounds, Stages(HEAD, HEAD))
        async with trio.open_nursery() as nursery:
            await nursery.start(pruner.run)
            while pruner.statistics()["swept"] < until:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    first = commitment_span(HEAD + 1 - PEERS_BLOCKS, SPAN)[0]
    with Store(tmp_path, b"g" * 32) as store:
        fill(store)
        trio.run(run, SyncConfig(keep_blocks=1), first - 1)
        assert (store.first(), store.head(), store.pruned()) == (first, HEAD, None)
        for height in (1, first - 1):
            assert (store.header(height), store.body(height), store.receipts(height)) == (None, None, None)
            assert store.position(sha256(b"%d" % height)) is None
            with pytest.raises(Invalid, match=f"keeps blocks from {first} on; ask one that keeps all") as caught:
                certified_blocks(store, height, HEAD, 1 << 20)
            assert caught.value.code == "pruned"
        assert [row.height for row in store.blocks(first, HEAD)] == list(range(first, HEAD + 1))
        assert store.position(sha256(b"%d" % first)) == Position(first, 0)


def test_a_block_that_is_swept_while_it_is_read_is_pruned_and_no_damage(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        store.put([block(1), block(2)])
        store._db.delete(_BODY + (1).to_bytes(8, "big"))
        with pytest.raises(Corrupt, match="lacks its body"):
            list(store.blocks(1, 2))
        store.prune(2)
        assert list(store.blocks(1, 2)) == []


def test_a_sweep_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        fill(store)
        store.prune(9)
        pruner = Pruner(SPEC, store, SyncConfig(), Stages())
        assert pruner._sweep() and pruner._sweep()
    with Store(tmp_path, b"g" * 32) as store:
        assert store.first() == 9
        pruner = Pruner(SPEC, store, SyncConfig(), Stages())
        swept = 0
        while pruner._sweep():
            swept += 1
        assert swept == 6


def test_a_transaction_that_came_again_in_a_later_block_stays_in_the_index(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        fill(store, head=8, checkpoint=8)
        store.put([StoredBlock(9, b"h", b"b", block(1).receipts, block(1).transactions)])
        store.sweep(1, block(1).transactions)
        assert store.position(sha256(b"1")) == Position(9, 0)
