"""A node whose result differs from the quorum's: it stops signing, keeps why, is told the field, and comes back."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from execution.compiler import compile_bundle
from execution.compiler.abi import parse_abi
from execution.compiler.abi_map import extents
from execution.compiler.standard import PACKAGE, source_of
from execution.standard import standard_plan
from execution.vm.machine import Machine
from execution.vm.programs import code_of
from genesis.devkeys import development_address
from genesis.errors import Invalid
from genesis.presets import preset_text
from genesis.spec import ChainSpec, genesis_address
from node import app
from node.cli.diff import of_node
from node.engine import on_engine_stack
from node.faults import compare, fault, ground
from node.faults.capture import Suspect, capture
from node.faults.compare import Cause, Verdict
from node.faults.fault import Fault
from node.genesis_code import folder_plan
from node.line import run_block
from node.recovery import initial_tip, replay_block, stored_block
from node.store import Store
from tests.node.command import tenor
from tests.node.recovery_script import PAYEE, TEST_SPEC, script
from tests.node.running import SPEC
from tests.node.test_following import Pair
from tests.node.test_following import play as follow
from tests.node.test_recovery import live
from tests.node.test_validators import FOUR, Town, play

BANK = 1
WATCHED = development_address(7)
BALANCE = f"balances[0x{WATCHED.hex()}, 0]"


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Machine]]:
    """The engines of the nodes that start, in that order."""
    made: list[Machine] = []

    class Noted(Machine):
        def genesis(self, spec: ChainSpec) -> bytes:
            made.append(self)
            return super().genesis(spec)

    monkeypatch.setattr(app, "Machine", Noted)
    yield made


def balance_place(machine: Machine, name: str = BALANCE) -> int:
    """State address of a balance."""
    (info,) = (one for one in machine.programs() if one.address == genesis_address("bank"))
    memory = machine.memory(info.address)
    places = extents(parse_abi(info.abi_json), lambda address, size: memory[address : address + size])
    return next(one.address for one in places if (one.name, one.part) == (name, "value"))


def flip(machine: Machine, address: int, bit: int = 3) -> None:
    """As a fault of memory does, while the node runs."""
    (byte,) = machine.memory_of(BANK, address + 1)[address:]
    machine._host.write(BANK, "state", address, bytes((byte ^ 1 << bit,)))


async def silenced(town: Town) -> tuple[int, Path]:
    """The node that has stopped voting, once it says so and names its bundle."""
    while True:
        for number, member in town.members.items():
            view = await member.client.consensus()
            if "came out differently here" in view["why"] and "…" not in view["remedy"]:
                assert not view["votes"]
                return number, Path(view["remedy"].split("`")[1].split()[-1])
        await trio.sleep(0.05)


def verdict_on(bundle: Fault, found: ground.Ground) -> Verdict:
    return on_engine_stack(lambda: compare.compare(FOUR, bundle, found))


@pytest.mark.slow
def test_a_flipped_bit_is_named_and_the_node_comes_back(tmp_path: Path, machines: list[Machine]) -> None:
    async def test(town: Town) -> None:
        assert (await town.pay(0)).status == "done"
        await town.grown(0, 2)
        flip(machines[1], balance_place(machines[1]) + 4)
        receipt = await town.pay(0)
        victim, path = await silenced(town)
        others = [number for number in town.members if number != victim]
        await town.grown(others[0], 3)
        paid = await town.members[others[0]].client.receipt(receipt.transaction)
        bundle = fault.read(path)
        assert bundle.height == paid.height
        for found in (ground.of_bundle(bundle), ground.of_folder(town.folder / str(others[0]), FOUR, bundle, tell)):
            verdict = verdict_on(bundle, found)
            assert (verdict.cause, verdict.signed) == (Cause.MEMORY, "")
            (before,), after = verdict.before, verdict.after
            assert (before.program, before.field) == ("bank", BALANCE)
            assert abs(before.here.raw - before.right.raw) == 1 << 8 * 4 + 3
            assert [(one.program, one.field) for one in after] == [("bank", BALANCE)]
            assert after[0].right.raw - before.right.raw == 10**18
            assert verdict.parted is not None and verdict.parted.transaction == receipt.transaction
        url = f"ws://127.0.0.1:{town.members[others[0]].ready.port}/ws"
        with pytest.raises(Invalid, match="has written to page"):
            await trio.to_thread.run_sync(of_node, bundle, url)
        await town.kill(victim)
        await town.start(victim)
        await town.grown(victim, 5)
        assert await voted(town, victim)
        assert (await town.members[victim].client.consensus())["why"] == ""
        await town.level()

    play(tmp_path, test)


async def voted(town: Town, number: int) -> bool:
    client = town.members[number].client
    before = (await client.consensus())["counters"]["voted"]
    while (await client.consensus())["counters"]["voted"] == before:
        await trio.sleep(0.02)
    return True


@pytest.mark.slow
def test_a_follower_ends_and_names_what_it_kept(tmp_path: Path, machines: list[Machine]) -> None:
    async def test(town: Pair) -> None:
        validator = await town.start("validator")
        paid = await town.pay(validator)
        follower = await town.start("follower", sync__snapshot_blocks="100000")
        await follower.reaches(paid.height)
        flip(machines[1], balance_place(machines[1]) + 2)
        await town.pay(validator)
        await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as ended:
        follow(tmp_path, test)
    found = re.search(r"tenor node diff (\S+?)`", "".join(traceback.format_exception(ended.value)))
    assert found is not None
    bundle = fault.read(Path(found[1]))
    verdict = on_engine_stack(lambda: compare.compare(SPEC, bundle, ground.of_bundle(bundle)))
    assert (verdict.cause, [one.field for one in verdict.before]) == (Cause.MEMORY, [BALANCE])


# Without nodes: blocks that were made by a sound engine, run by one that is not


def tell(*_: int) -> None: ...


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a node that has run the script of `recovery_script`."""
    script()
    folder = tmp_path_factory.mktemp("chain")
    folder_plan(folder, TEST_SPEC)
    trio.run(live, folder / "store")
    return folder


Harm = Callable[[Machine], None]


def fault_of(chain: Path, height: int, harm: Harm) -> Fault:
    """What a node writes whose engine was harmed before a block of the chain; it must not come out."""

    def run() -> Fault:
        machine = Machine(standard_plan)
        tip = initial_tip(TEST_SPEC, machine.genesis(TEST_SPEC))
        genesis = tip.hash
        with Store(chain / "store", genesis) as store:
            blocks = [stored_block(row)[0] for row in store.blocks(1, height)]
        for block in blocks[:-1]:
            tip = replay_block(TEST_SPEC, machine, tip, block)
        harm(machine)
        with pytest.raises(Invalid) as refused:
            run_block(TEST_SPEC, machine, tip, blocks[-1], None)
        machine.rollback(tip.height)
        suspect = Suspect(blocks[-1], str(refused.value), b"")
        return fault.decode(fault.encode(capture(TEST_SPEC, genesis, bytes(20), suspect, machine, tip)))

    return on_engine_stack(run)


def verdict_of(bundle: Fault, found: ground.Ground) -> Verdict:
    return on_engine_stack(lambda: compare.compare(TEST_SPEC, bundle, found))


def another_bank(old: str, new: str) -> Harm:
    """The bank's instance is of another program than its code says: as if it had been compiled wrongly here."""

    def harm(machine: Machine) -> None:
        path = f"{PACKAGE.replace('.', '/')}/bank.py"
        source = source_of(f"{PACKAGE}.bank")
        assert source is not None and old in source
        made = compile_bundle({path: source.replace(old, new)}, path, dict(TEST_SPEC.gas_table))
        code = code_of(made.name, made.wasm, made.abi, made.source_hash)
        machine._host.replace(BANK, code)

    return harm


DEBIT = "self.balances.get(holding, Decimal(0)) - amount\n        require"
PAYEE_BALANCE = f"balances[0x{development_address(PAYEE).hex()}, 0]"


def test_a_wrongly_compiled_program_is_named_by_its_first_effect(chain: Path) -> None:
    """Gas, receipt and events of that transaction are the same: only what the state became tells."""
    bundle = fault_of(chain, 3, another_bank(DEBIT, DEBIT.replace("-", "+")))
    verdict = verdict_of(bundle, ground.of_bundle(bundle))
    withdrawal, _, _ = (signed for signed, _ in script()[2][0])
    assert (verdict.cause, verdict.signed, verdict.before) == (Cause.EXECUTION, "", ())
    assert verdict.parted is not None
    assert verdict.parted.transaction == withdrawal.id and verdict.parted.here == verdict.parted.right
    fields = {(one.program, one.field): (one.here, one.right) for one in verdict.after}
    here, right = fields["bank", f"balances[0x{withdrawal.signer.hex()}, 1]"]
    assert here.raw - right.raw == (3 + 10**6) * 10**18, "1.5 twice, and what the third should not have got"


def test_what_goes_wrong_before_any_transaction_is_told_as_that(chain: Path) -> None:
    """Each block of the chain begins with a deposit."""
    bundle = fault_of(chain, 1, another_bank("Decimal(0)) + amount", "Decimal(0)) + amount + amount"))
    verdict = verdict_of(bundle, ground.of_bundle(bundle))
    assert verdict.cause is Cause.EXECUTION
    assert verdict.parted is not None and (verdict.parted.batch, verdict.parted.transaction) == (0, None)


def flips(*bits: int) -> Harm:
    """The payee's balance, which a block of the chain then writes to."""

    def harm(machine: Machine) -> None:
        for bit in bits:
            flip(machine, balance_place(machine, PAYEE_BALANCE) + bit // 8, bit % 8)

    return harm


def test_a_page_with_several_wrong_bits_needs_somebody_elses_state(chain: Path, tmp_path: Path) -> None:
    bundle = fault_of(chain, 3, flips(1, 70))
    with pytest.raises(Invalid) as refused:
        ground.of_bundle(bundle)
    assert refused.value.code == "beyond_repair"
    sound = on_engine_stack(lambda: ground.of_folder(chain, TEST_SPEC, bundle, tell))
    spot = next(iter(bundle.strays))
    other = fault_of(chain, 3, another_bank(DEBIT, DEBIT.replace("-", "+")))
    for found in (sound, ground.of_bundle(other), ground.with_pages(bundle, sound.pages.__getitem__, "a node")):
        verdict = verdict_of(bundle, found)
        assert verdict.cause is Cause.MEMORY and verdict.parted is not None
        (before,) = verdict.before
        assert (before.field, (before.number, before.page)) == (PAYEE_BALANCE, spot)
    with pytest.raises(Invalid, match="has written to page"):
        ground.with_pages(bundle, lambda _: b"x" * 1024, "a node")


def test_a_state_too_large_for_the_bundle_is_compared_with_a_folder(
    chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.faults.capture.PAGES_MAX", 4)
    bundle = fault_of(chain, 3, flips(9))
    assert not bundle.whole and len(bundle.pages) < 20
    with pytest.raises(Invalid) as refused:
        ground.of_bundle(bundle)
    assert refused.value.code == "not_whole"
    verdict = verdict_of(bundle, on_engine_stack(lambda: ground.of_folder(chain, TEST_SPEC, bundle, tell)))
    assert (verdict.cause, [one.field for one in verdict.before]) == (Cause.MEMORY, [PAYEE_BALANCE])


def test_every_byte_of_a_bundle_is_guarded(chain: Path, tmp_path: Path) -> None:
    path = fault.write(fault_of(chain, 3, flips(9)), tmp_path)
    assert fault.read(path).height == 3
    data = path.read_bytes()
    for at in (0, 9, 20, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
        with pytest.raises(Invalid, match="is no fault bundle"):
            fault.read(path)
    path.write_bytes(data[:-1])
    with pytest.raises(Invalid, match="cut or changed"):
        fault.read(path)


def test_the_command_tells_transaction_program_page_and_field(
    chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "chain.toml"
    spec.write_text("commitment_blocks = 4\n" + preset_text("devnet"))
    path = fault.write(fault_of(chain, 3, flips(67)), tmp_path)
    ran = tenor(capsys, "node", "diff", path, "--chain", spec, "--json")
    result = ran.result
    _, payment, _ = (signed for signed, _ in script()[2][0])
    assert (ran.code, result["cause"], result["height"]) == (0, "memory", 3)
    assert result["first"]["transaction"] == f"0x{payment.id.hex()}"
    (before,) = result["state_before"]
    assert (before["program"], before["field"]) == ("bank", PAYEE_BALANCE)
    said = tenor(capsys, "node", "diff", path, "--chain", spec, "--against", chain)
    assert said.code == 0 and f"before the block: bank.{PAYEE_BALANCE} (page {before['page']}): here" in said.out
    several = fault.write(fault_of(chain, 3, flips(3, 67)), tmp_path)
    ran = tenor(capsys, "node", "diff", several, "--chain", spec, "--json")
    assert (ran.code, ran.result["cause"], len(ran.result["strays"])) == (1, "memory", 1)
    assert "--against FOLDER" in ran.err
