"""What of the store's tables is mapped goes back to the system when it is much, and stays readable."""

from pathlib import Path

import pytest
import trio

from node import mapped
from node.mapped import give_back, keep_small, mapped_bytes
from node.store import Store, StoredBlock

CHAIN = bytes(32)
BLOCK_BYTES = 1 << 20
BLOCKS = 64


def _block(height: int) -> StoredBlock:
    return StoredBlock(height, b"header", bytes([height]) * BLOCK_BYTES, b"receipts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mapped") / "store"
    with Store(path, CHAIN) as store:
        store.put([_block(height) for height in range(1, BLOCKS + 1)])
    return path


def _read(store: Store) -> int:
    """Touch every table; how much is mapped then."""
    for height in range(1, BLOCKS + 1):
        assert store.body(height) == _block(height).body
    return mapped_bytes()


def test_what_was_read_is_given_back(folder: Path) -> None:
    with Store(folder, CHAIN) as store:
        before = mapped_bytes()
        read = _read(store)
        assert read - before > 32 * BLOCK_BYTES
        give_back(folder)
        assert mapped_bytes() < before + 8 * BLOCK_BYTES


def test_what_was_given_back_is_read_again(folder: Path) -> None:
    with Store(folder, CHAIN) as store:
        _read(store)
        give_back(folder)
        _read(store)


def test_a_node_holds_no_more_than_its_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "GLANCE_S", 0.01)
    bound = mapped_bytes() + 16 * BLOCK_BYTES
    monkeypatch.setattr(mapped, "MAPPED_BYTES_MAX", bound)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(keep_small, folder)
            while mapped_bytes() > bound:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    with Store(folder, CHAIN) as store:
        assert _read(store) > bound
        trio.run(main)


def test_other_folders_tables_stay(folder: Path, tmp_path: Path) -> None:
    with Store(folder, CHAIN) as store:
        read = _read(store)
        give_back(tmp_path)
        assert mapped_bytes() > read - BLOCK_BYTES
