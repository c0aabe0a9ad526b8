"""A node's blocks in a file: out of it comes the same chain, and nothing out of a file that is not whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from genesis import codec
from genesis.chain import Block, Certificate, sign_block
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.membership import ValidatorSet
from genesis.presets import parse_spec, preset_text
from node.archive.frames import BlockFrame, Head, Reader, Writer
from node.archive.restoring import IMPORTING, restore
from node.archive.writing import export
from node.cli.nodes import CONFIG_FILE
from node.config import render
from node.recovery import stored_block
from node.store import Store, StoredBlock
from tests.node.command import tenor
from tests.node.running import config_of, running

QUICK = "block_time_ms = 60\ncommitment_blocks = 4\n"
SPEC = parse_spec(QUICK + preset_text("devnet"))
BLOCKS = 6


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a node that ran for some blocks, with a transaction, and its archive beside."""
    home = tmp_path_factory.mktemp("archived")
    with running(home / "data", spec=SPEC, market=False) as node:
        bank = node.programs["bank"]
        node.do(node.send, 6, bank.call("transfer", 0, development_address(7), "1"))
        node.do(node.next_block, BLOCKS)
    export(home / "data", SPEC, home / "archive", lambda *_: None)
    return home


async def no_sets(_: int) -> Sequence[ValidatorSet]:
    raise Unavailable("settlement is away")


def restored(folder: Path, archive: Path) -> int:
    return restore(folder, SPEC, archive, no_sets, lambda *_: None).height


def frames(archive: Path) -> tuple[Head, list[BlockFrame]]:
    with archive.open("rb") as file:
        reader = Reader(archive, file)
        return reader.head, list(reader)


def written(path: Path, head: Head, blocks: Sequence[BlockFrame]) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.head(head)
        for block in blocks:
            writer.block(block)
        writer.end(head.last)
    return path


def rows(folder: Path, genesis: bytes) -> list[tuple[bytes, bytes, bytes]]:
    with Store(folder / "store", genesis) as store:
        return [(row.header, row.body, row.receipts) for row in store.blocks(1, store.head() or 0)]


def test_the_same_rows_come_out_and_a_node_goes_on_from_them(home: Path, tmp_path: Path) -> None:
    head, blocks = frames(home / "archive")
    assert len(blocks) == head.last > BLOCKS
    told: list[tuple[int, int]] = []
    tip = restore(tmp_path / "data", SPEC, home / "archive", no_sets, lambda *at: told.append(at))
    assert told == [(height, head.last) for height in range(1, head.last + 1)]
    assert rows(tmp_path / "data", head.genesis) == rows(home / "data", head.genesis)
    assert not (tmp_path / "data" / IMPORTING).exists()
    shutil.copy(home / "data" / "settlement.sqlite", tmp_path / "data")
    with running(tmp_path / "data", spec=SPEC, market=False) as node:
        assert node.do(node.next_block, tip.height)["parent"] == "0x" + tip.hash.hex()
        assert node.do(node.client.sequence, development_address(6)) == 1
        with pytest.raises(Unavailable, match="open in another process"):
            export(tmp_path / "data", SPEC, tmp_path / "live", lambda *_: None)
    assert not (tmp_path / "live").exists()
    with pytest.raises(Invalid, match="make it first"):
        export(tmp_path / "data", SPEC, tmp_path / "no folder" / "live", lambda *_: None)
    with pytest.raises(Invalid, match="/proc/live cannot be written: No such file or directory") as refused:
        export(tmp_path / "data", SPEC, Path("/proc/live"), lambda *_: None)
    assert refused.value.code == "bad_file"


def test_a_damaged_or_cut_file_is_refused_with_its_place_and_leaves_nothing(home: Path, tmp_path: Path) -> None:
    whole = (home / "archive").read_bytes()
    head, _ = frames(home / "archive")
    archive, size = tmp_path / "archive", len(whole)
    wanted = {whole[: size - 1]: "cut off within its end", whole + b"\0": "does not end after its last block"}
    wanted |= {whole[:at]: "cut off|begin as an archive" for at in (0, 9, 40, size // 2, size - 30)}
    for at in (3, 20, 60, size // 2, size - 40, size - 1):
        wanted[whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]] = "damaged|begin as an archive|cut off|bytes are"
    for data, why in wanted.items():
        archive.write_bytes(data)
        with pytest.raises(Invalid, match=why) as refusal:
            restored(tmp_path / "data", archive)
        assert refusal.value.code == "bad_archive" and "byte " in str(refusal.value)
    assert list((tmp_path / "data").iterdir()) == [] and head.last > 0


def encoded(*sets: ValidatorSet) -> bytes:
    return codec.encode(tuple(one.fields() for one in sets))


def signed_again(change: Callable[[Block, Certificate], tuple[Block, Certificate]], frame: BlockFrame) -> BlockFrame:
    block, certified = change(*stored_block_of(frame))
    row = codec.encode((block.header.fields(), block.signature, certified.fields()))
    return BlockFrame(frame.height, row, codec.encode(block.body.fields()))


def stored_block_of(frame: BlockFrame) -> tuple[Block, Certificate]:
    return stored_block(StoredBlock(frame.height, frame.header, frame.body, b""))


def test_what_was_not_certified_or_does_not_come_out_is_refused(home: Path, tmp_path: Path) -> None:
    head, blocks = frames(home / "archive")
    at = 2

    def forged(block: Block, certificate: Certificate) -> tuple[Block, Certificate]:
        """Everything fits but the quorum's signature."""
        header = replace(block.header, gas_used=block.header.gas_used + 1)
        made = sign_block(header, block.body, development_key(0))
        return made, replace(certificate, block_hash=header.hash())

    def stranger(block: Block, certificate: Certificate) -> tuple[Block, Certificate]:
        return replace(block, signature=blocks_of[at][0].signature), certificate

    blocks_of = [stored_block_of(frame) for frame in blocks]
    first, others = ValidatorSet(0, 0, SPEC.stakes), ValidatorSet(0, 0, {development_address(5): 1})
    changed = [
        (
            [*blocks[:at], signed_again(forged, blocks[at]), *blocks[at + 1 :]],
            head,
            "block 3 is not what was certified",
        ),
        ([*blocks[:5], signed_again(stranger, blocks[5]), *blocks[6:]], head, "block 6 .* not the proposer's"),
        ([*blocks[:at], replace(blocks[at + 1], height=at + 1), *blocks[at + 1 :]], head, "block 3 .* follow"),
        ([*blocks[:at], *blocks[at + 1 :]], head, "block 4 stands where 3 belongs"),
        (blocks, replace(head, spec=head.spec + b"\0"), "of another chain"),
        (blocks, replace(head, genesis=bytes(32)), "does not begin with the code"),
        (blocks, replace(head, code=b"\x90"), "genesis code is none"),
        (blocks, replace(head, sets=encoded(others)), "other validators"),
    ]
    for frames_of, head_of, why in changed:
        with pytest.raises(Invalid, match=why):
            restored(tmp_path / "data", written(tmp_path / "forged", head_of, frames_of))
    with pytest.raises(Unavailable, match="settlement is away"):
        restored(
            tmp_path / "data",
            written(
                tmp_path / "forged",
                replace(head, sets=encoded(first, replace(others, version=1, from_height=9))),
                blocks,
            ),
        )
    assert list((tmp_path / "data").iterdir()) == []
    (tmp_path / "data" / IMPORTING).mkdir()
    (tmp_path / "data" / IMPORTING / "left").write_text("by an attempt that was killed")
    assert restored(tmp_path / "data", home / "archive") == head.last
    with pytest.raises(Invalid, match="holds a chain already"):
        restored(tmp_path / "data", home / "archive")


def test_the_commands_tell_what_they_did(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def configured(folder: Path, data: Path) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / "chain.toml").write_text(QUICK + preset_text("devnet"))
        config = folder / CONFIG_FILE
        config.write_text(render(config_of(data, node__chain=str(folder / "chain.toml"))))
        return config

    head, _ = frames(home / "archive")
    one, other = (
        configured(tmp_path / "one", home / "data"),
        configured(tmp_path / "other", tmp_path / "other" / "data"),
    )
    wrote = tenor(capsys, "node", "export", tmp_path / "file", "--config", one, "--json")
    assert (wrote.code, wrote.result["blocks"]) == (0, head.last) and f"{head.last} of {head.last} blocks" in wrote.err
    assert (tmp_path / "file").read_bytes() == (home / "archive").read_bytes()
    again = tenor(capsys, "node", "export", tmp_path / "file", "--config", one, "--json")
    assert again.result["code"] == "exists"
    took = tenor(capsys, "node", "import", tmp_path / "file", "--config", other, "--json")
    assert (took.code, took.result["height"]) == (0, head.last), took.err
    none = tenor(capsys, "node", "import", tmp_path / "none", "--config", one, "--json")
    assert none.code == 1
