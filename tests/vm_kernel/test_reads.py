"""Reads between batches, proofs, checkpoints, programs that appear in a block."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from execution.executor import CheckpointChunk, Opening, Query
from execution.vm.kernel.words import selector
from execution.vm.machine import Machine
from genesis.chain import Call, Deployment
from genesis.errors import Invalid
from genesis.merkle import verify_page
from tests.vm_kernel.bank import BANK, account, bank_call, chain, compiled, number
from tests.vm_kernel.tiny import SPEC, Node, address, call_of, dispatch, plan, planned, word

GET = selector("get()")


def ask(node: Node, name: str = "get()", gas: int = 100_000, *words: int) -> tuple[str, int, int]:
    arguments = b"".join(struct.pack("<q", value) for value in words)
    (answer,) = node.machine.query([Query(address(0), selector(name), arguments, gas)])
    return answer.reason, word(answer.result), answer.gas_used


def test_queries_are_answered_in_one_go_each_under_its_own_gas() -> None:
    node = Node(planned(0, dispatch))
    node.one(call_of(0, "set(int)", 5))
    queries = [Query(address(n), GET, b"", gas) for n, gas in ((0, 100_000), (0, 50), (7, 100_000))]
    answers = node.machine.query(queries)
    assert [answer.reason for answer in answers] == ["", "out of gas", "unknown program"]
    assert word(answers[0].result) == 5 and answers[1].gas_used == 50


def test_what_a_query_writes_is_gone() -> None:
    """Views of compiled programs cannot write; the kernel does not rely on it."""
    node = Node(planned(0, dispatch))
    node.one(call_of(0, "set(int)", 5))
    assert ask(node, "set(int)", 100_000, 9)[0] == "" and node.cell(0) == 5
    assert ask(node, "trap()")[0] == "trap" and ask(node) == ("", 5, 100)
    assert ask(node, "queue(account)", 100_000, 1, 2, 3)[0] == "read only"


def test_a_page_is_proven_against_the_state_root_of_the_last_seal() -> None:
    node = Node(planned(0, dispatch))
    node.one(call_of(0, "set(int)", 5))
    root = node.seal().state_root
    node.one(call_of(0, "set(int)", 6))
    page = verify_page(root, address(0), 1, 0, node.machine.prover(address(0))(0))
    assert page[128:136] == struct.pack("<q", 5)
    assert verify_page(root, address(0), 1, 9, node.machine.prover(address(0))(9)) == b""


def restored(meta: bytes, chunks: Iterator[CheckpointChunk]) -> tuple[Machine, bytes]:
    made = Machine(lambda _: plan())
    return made, made.restore(SPEC, meta, chunks)


def test_a_checkpoint_has_the_same_root_and_goes_on_the_same() -> None:
    node = Node(planned(0, dispatch), planned(1, dispatch))
    node.one(call_of(0, "set(int)", 5), call_of(0, "schedule(int,int)", 2000, 0))
    root = node.seal().state_root
    node.one(call_of(0, "set(int)", 99))
    made, again = restored(node.machine.checkpoint_meta(), node.machine.export(None))
    assert again == root, "the open block is not in it"
    node.machine.rollback(1)
    batch = [node.signed(call_of(1, "set(int)", 7))]
    node.next[b"s" * 20, 0] = 1
    batch = [node.signed(call_of(1, "set(int)", 7))]
    for machine in (made, node.machine):
        machine.apply(node.opening, batch)
    assert made.seal() == node.machine.seal()


def test_an_incremental_export_brings_an_older_checkpoint_up_to_date() -> None:
    node = Node(planned(0, dispatch))
    pages: dict[tuple[int, int], bytes] = {}
    since = None
    for value in (5, 6, 0):
        node.one(call_of(0, "set(int)", value), call_of(0, "far(int,int)", 20_000, value))
        root = node.seal().state_root
        for chunk in node.machine.export(since):
            for n in range(len(chunk.pages) // 1024):
                pages[chunk.program, chunk.first_page + n] = chunk.pages[1024 * n : 1024 * n + 1024]
        since = node.height - 1
    chunks = (CheckpointChunk(program, page, content) for (program, page), content in pages.items())
    assert restored(node.machine.checkpoint_meta(), chunks)[1] == root


def test_heights_follow_each_other() -> None:
    node = Node(planned(0, dispatch))
    with pytest.raises(Invalid, match="next block is 1"):
        node.machine.apply(Opening(2, 0, 0, b"", ()), [])
    node.run()
    with pytest.raises(Invalid, match="Block 1 is open"):
        node.machine.apply(Opening(2, 0, 0, b"", ()), [])
    with pytest.raises(Invalid, match="Rollback to height 7"):
        node.machine.rollback(7)


def deployment() -> Deployment:
    artifact = compiled()
    arguments = bank_call("create", b"EUR".ljust(16, b"\x00"), account(b"a" * 20), account(b"f" * 20)).arguments
    return Deployment(
        b"D" * 20,
        bytes(32),
        b"d" * 20,
        "bank",
        arguments,
        b"",
        "1",
        artifact.ir_hash,
        artifact.wasm,
        artifact.abi.text(),
    )


def test_a_recorded_program_appears_at_the_opening_of_its_block_and_goes_with_it() -> None:
    node = chain()
    node.run()
    node.seal()
    opening = Opening(2, 2_000, 0, b"", (), (deployment(),))
    symbol = Call(b"D" * 20, bank_call("symbol").selector, number(0))
    roots = []
    for _ in range(2):
        call = node.signed(symbol)
        outcome = node.machine.apply(opening, [call]).outcomes[0]
        assert outcome.status == "done" and outcome.results[0][:3] == b"EUR"
        assert [info.address for info in node.machine.programs()][2:] == [b"D" * 20]
        roots.append(node.machine.seal().state_root)
        node.machine.rollback(1)
        node.next.clear()
        assert len(node.machine.programs()) == 2
    assert roots[0] == roots[1]
    assert node.run(node.signed(symbol)).outcomes[0].reason == "unknown program"


def test_a_program_whose_create_refuses_is_not_there() -> None:
    node = chain()
    twice = Opening(1, 1_000, 0, b"", (), (deployment(), deployment()))
    node.machine.apply(twice, [])
    assert [info.address for info in node.machine.programs()][2:] == [b"D" * 20]
    root = node.seal().state_root
    once = chain()
    once.machine.apply(Opening(1, 1_000, 0, b"", (), (deployment(),)), [])
    assert once.seal().state_root == root
    assert node.machine.memory(BANK)[:8] == once.machine.memory(BANK)[:8]
