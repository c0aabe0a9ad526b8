"""Damaged stores: the file is named, what is whole is kept and proven, nothing is made up, nobody forgets his votes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
import trio

from genesis.devkeys import development_address
from genesis.errors import Corrupt, Invalid
from genesis.presets import preset_text
from genesis.spec import ChainSpec, Validator
from node import store_swap
from node.engine import on_engine_stack
from node.genesis_code import folder_plan
from node.repair import Repaired, repair
from node.store import Store
from tests.node import test_recovery
from tests.node.command import tenor
from tests.node.recovery_script import TEST_SPEC, script
from tests.node.test_recovery import live, open_store

SEVERAL = replace(
    TEST_SPEC,
    validators=(
        *(Validator(one.address, 9) for one in TEST_SPEC.validators),
        Validator(development_address(12), 1),
        Validator(development_address(13), 1),
    ),
)
"""The first has a quorum of its own, so that its blocks are certified; what it loses the others have."""
BLOCKS = len(script())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(test_recovery, "TEST_SPEC", SEVERAL)
        return folder_of(tmp_path_factory.mktemp("made"), SEVERAL)


@pytest.fixture
def several(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The data folder of one of several validators that has run the script."""
    monkeypatch.setattr(test_recovery, "TEST_SPEC", SEVERAL)
    return copytree(made, tmp_path / "data")


def folder_of(folder: Path, spec: ChainSpec) -> Path:
    folder.mkdir(exist_ok=True)
    folder_plan(folder, spec)
    trio.run(live, folder / "store")
    open_store(folder / "store").close()  # moves the log into a table
    return folder


def mended(folder: Path, spec: ChainSpec = SEVERAL) -> Repaired:
    return on_engine_stack(lambda: repair(folder, spec, lambda *_: None))


def flip_within(folder: Path, row: Callable[[Store], bytes | None]) -> Path:
    """One bit of a stored row, in the table that has it."""
    with open_store(folder / "store") as store:
        wanted = row(store)
    assert wanted is not None
    for table in (folder / "store").glob("*.ldb"):
        data = bytearray(table.read_bytes())
        at = data.find(wanted)
        if at >= 0:
            data[at + len(wanted) // 2] ^= 16
            table.write_bytes(data)
            return table
    raise AssertionError("the row is in no table")


def some_page(store: Store) -> bytes:
    """Of the state, amid others: what lies beside the state in the file is not harmed with it."""
    pages = [one.data[at : at + 1024] for one in store.pages() for at in range(0, len(one.data), 1024)]
    return pages[len(pages) // 2]


def goes_on(folder: Path) -> int:
    """Start from what is there and run the rest of the script; the height at the start."""
    found = trio.run(live, folder / "store").recovered
    with open_store(folder / "store") as store:
        assert store.head() == BLOCKS
    return found.tip.height


def test_a_sound_store_is_left_as_it_is(several: Path) -> None:
    before = sorted((path.name, path.read_bytes()) for path in (several / "store").glob("*.ldb"))
    done = mended(several)
    assert (done.damage, done.lost, done.aside, done.before, done.after) == ((), [], None, BLOCKS, BLOCKS)
    assert sorted((path.name, path.read_bytes()) for path in (several / "store").glob("*.ldb")) == before


def test_a_damaged_block_goes_with_all_above_it_and_votes_stay(several: Path) -> None:
    table = flip_within(several, lambda store: store.body(5))
    with pytest.raises(Corrupt, match=f"{table.name}.*the checksum of the block") as told:
        trio.run(live, several / "store")
    assert "tenor node repair" in str(told.value)
    done = mended(several)
    assert [one.file for one in done.damage] == [table]
    assert (done.before, done.checkpoint, done.votes) == (BLOCKS, None, True)
    assert "the checksum of the block" in done.lost[0] and "tenor node repair" not in " ".join(done.lost)
    assert done.after < 5, "small rows beside it share its checksum"
    assert done.aside == several / "store.damaged" and done.aside.is_dir()
    assert goes_on(several) == done.after


def test_a_state_with_another_root_comes_from_the_blocks(several: Path) -> None:
    """Its checksums are right: memory was wrong before it was written."""
    with open_store(several / "store") as store:
        height, meta = store.checkpoint() or (0, b"")
        pages = next(store.pages())
        store.put_checkpoint(height, meta, [replace(pages, data=bytes((pages.data[0] ^ 1,)) + pages.data[1:])])
    with pytest.raises(Corrupt, match=r"has root .* signed was"):
        trio.run(live, several / "store")
    done = mended(several)
    assert (done.damage, done.after, done.checkpoint) == ((), BLOCKS, None)
    assert "has root" in done.lost[0]
    assert goes_on(several) == BLOCKS


def test_a_state_with_a_damaged_page_comes_from_the_blocks(several: Path) -> None:
    table = flip_within(several, some_page)
    with pytest.raises(Corrupt, match=table.name):
        trio.run(live, several / "store")
    done = mended(several)
    assert ([one.file for one in done.damage], done.after, done.checkpoint) == ([table], BLOCKS, None)
    assert (done.votes, done.open_block) == (True, True)
    assert goes_on(several) == BLOCKS


def forget_files(folder: Path) -> Path:
    """One bit of the list of files."""
    (manifest,) = (folder / "store").glob("MANIFEST-*")
    data = bytearray(manifest.read_bytes())
    data[len(data) // 2] ^= 1
    manifest.write_bytes(data)
    return manifest


def test_without_its_list_of_files_votes_are_not_believed(several: Path) -> None:
    manifest = forget_files(several)
    with pytest.raises(Corrupt, match=manifest.name):
        open_store(several / "store")
    done = mended(several)
    assert (done.after, done.votes, done.open_block) == (BLOCKS, False, False)
    assert goes_on(several) == BLOCKS


def test_where_the_database_is_not_named_none_is_begun_over_it(several: Path) -> None:
    """LevelDB would, and delete the files that it does not know."""
    (several / "store" / "CURRENT").unlink()
    kept = {path.name: path.read_bytes() for path in (several / "store").glob("*.ldb")}
    with pytest.raises(Corrupt, match="CURRENT: it is missing"):
        open_store(several / "store")
    assert kept and kept == {path.name: path.read_bytes() for path in (several / "store").glob("*.ldb")}
    done = mended(several)
    assert (done.before, done.after, done.votes) == (BLOCKS, BLOCKS, False)
    assert goes_on(several) == BLOCKS


def test_a_pruned_store_keeps_its_state_or_comes_from_the_others(several: Path) -> None:
    """Blocks below the state are not there to make it from."""
    with open_store(several / "store") as store:
        store.prune(3)
    forget_files(several)
    done = mended(several)
    assert (done.before, done.after, done.checkpoint, done.from_others) == (BLOCKS, BLOCKS, BLOCKS - 1, False)
    with open_store(several / "store") as store:
        assert store.first() == 3
    assert goes_on(several) == BLOCKS
    flip_within(several, some_page)
    done = mended(several)
    assert (done.after, done.checkpoint, done.from_others, done.votes) == (0, None, True, True)


def test_alone_nothing_is_given_up_but_what_can_be_made_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "one", TEST_SPEC)
    flip_within(folder, some_page)
    assert (done := mended(folder, TEST_SPEC)).after == BLOCKS and done.checkpoint is None
    other = folder_of(tmp_path / "other", TEST_SPEC)
    flip_within(other, lambda store: store.body(3))
    with pytest.raises(Invalid, match="sign those heights twice") as refused:
        mended(other, TEST_SPEC)
    assert refused.value.code == "alone" and not (other / "store.damaged").exists()


def test_a_store_of_another_chain_is_left_alone(several: Path) -> None:
    flip_within(several, some_page)
    with pytest.raises(Invalid, match="of another chain; name its specification with --chain") as refused:
        mended(several, replace(SEVERAL, chain_id=SEVERAL.chain_id + 1))
    assert refused.value.code == "wrong_store"
    assert {path.name for path in several.iterdir() if path.is_dir()} == {"store"}
    assert mended(several).after == BLOCKS


def test_a_crash_amid_the_swap_is_made_good_at_the_next_start(several: Path) -> None:
    (several / "store").rename(several / store_swap.PARTIAL)
    store_swap.finish(several)
    assert goes_on(several) == BLOCKS


def test_the_command_tells_what_was_kept(several: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = "".join(
        f'[[validators]]\naddress = "0x{one.address.hex()}"\nstake = {one.stake}\n\n' for one in SEVERAL.validators
    )
    head, _, rest = preset_text("devnet").partition("[[validators]]")
    spec = tmp_path / "chain.toml"
    spec.write_text(f"commitment_blocks = 4\n{head}{people}[[allocations]]{rest.partition('[[allocations]]')[2]}")
    flip_within(several, some_page)
    ran = tenor(capsys, "node", "repair", several, "--chain", spec, "--json")
    assert ran.code == 0
    assert (ran.result["blocks_before"], ran.result["blocks_kept"], ran.result["votes_kept"]) == (BLOCKS, BLOCKS, True)
    assert ran.result["damaged_store"] == str(several / "store.damaged")
