"""A chain keeps its kernel: a later Tenor runs it, another takes over at a height, and going back goes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execution.executor import Sealed
from execution.vm import upgrade
from execution.vm.kernel import build
from execution.vm.machine import Machine, check_kernel
from execution.vm.state import KERNEL_ADDRESS
from genesis.chain import Deployment, SignedTransaction, sign
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.transaction import DeployTransaction
from tests.vm_kernel.tiny import SPEC, Node, call_of, dispatch, plan, planned

KERNEL = build.build_kernel(SPEC.gas)
LATER = KERNEL + b"\x00\x06\x05later"
"""The same kernel in other bytes: a custom section more."""
ADMIN = 1
OWNED = replace(SPEC, admin=development_address(ADMIN), rollback_blocks=8)


def chain() -> Node:
    return Node(planned(0, dispatch), planned(1, dispatch), of=OWNED)


def deployment(wasm: bytes = LATER, deployer: bytes = OWNED.admin) -> Deployment:
    return Deployment(KERNEL_ADDRESS, bytes(32), deployer, "kernel", b"", b"", upgrade.FORMAT, bytes(32), wasm, "")


def block(node: Node, *active: Deployment) -> Sealed:
    """A block that writes in both programs, the deployments active in it."""
    opening = replace(node.opening, deployments_active=active)
    result = node.machine.apply(opening, [])
    assert not list(result.outcomes)
    node.one(call_of(0, "set(int)", node.height), call_of(1, "set(int)", 7 * node.height))
    return node.seal()


def switched() -> tuple[Node, list[Sealed]]:
    """Six blocks, the fourth opens under the later kernel."""
    node = chain()
    return node, [block(node, *([deployment()] if height == 4 else [])) for height in range(1, 7)]


def test_the_kernel_changes_at_its_height_and_nothing_else() -> None:
    _, with_switch = switched()
    without = chain()
    plain = [block(without) for _ in range(6)]
    roots = [sealed.state_root for sealed in with_switch]
    assert roots[:3] == [sealed.state_root for sealed in plain][:3]
    assert not set(roots[3:]) & {sealed.state_root for sealed in plain}
    assert [s.gas_used for s in with_switch] == [s.gas_used for s in plain]
    node, _ = switched()
    assert node.machine.memory_of(0, 4096) == without.machine.memory_of(0, 4096)
    assert node.machine.memory_of(2, 65_536) == without.machine.memory_of(2, 65_536)


def test_a_replay_of_the_switch_is_equal() -> None:
    assert switched()[1] == switched()[1]


@pytest.mark.parametrize("height", [1, 3, 4, 5])
def test_going_back_across_the_switch_goes_back(height: int) -> None:
    node, sealed = switched()
    node.machine.rollback(height)
    node.height = height + 1
    node.next = dict.fromkeys(node.next, height)
    again = [block(node, *([deployment()] if at == 4 else [])) for at in range(height + 1, 7)]
    assert again == sealed[height:]


def test_an_open_block_that_switched_is_dropped_without_a_trace() -> None:
    node, _ = switched()
    node.machine.rollback(3)
    node.height, node.next = 4, dict.fromkeys(node.next, 3)
    node.machine.apply(replace(node.opening, deployments_active=(deployment(),)), [])
    proof = node.machine.prover(KERNEL_ADDRESS)(0)
    node.machine.rollback(3)
    assert node.machine.prover(KERNEL_ADDRESS)(0) == proof
    plain = chain()
    expected = [block(plain) for _ in range(4)][-1]
    assert block(node) == expected


@pytest.mark.parametrize("height", [3, 4, 6])
def test_a_checkpoint_carries_its_kernel(height: int) -> None:
    """Taken before, at and behind the switch; restored by a Tenor that builds yet another kernel."""
    node = chain()
    for at in range(1, height + 1):
        last = block(node, *([deployment()] if at == 4 else []))
    other = Machine(lambda _: plan())
    root = other.restore(OWNED, node.machine.checkpoint_meta(), node.machine.export(None))
    assert root == last.state_root


def test_the_checkpoint_while_a_switching_block_is_open_is_of_the_kernel_before() -> None:
    node = chain()
    last = block(node)
    node.machine.apply(replace(node.opening, deployments_active=(deployment(),)), [])
    other = Machine(lambda _: plan())
    assert other.restore(OWNED, node.machine.checkpoint_meta(), node.machine.export(None)) == last.state_root


def test_a_later_tenor_runs_the_kernel_that_the_chain_has(monkeypatch: pytest.MonkeyPatch) -> None:
    before = chain()
    mine = [block(before) for _ in range(3)]
    monkeypatch.setattr(build, "build_kernel", lambda _: LATER)
    later = Node(planned(0, dispatch), planned(1, dispatch), of=OWNED)
    assert [block(later) for _ in range(3)] != mine
    machine = Machine(lambda _: replace(plan(planned(0, dispatch), planned(1, dispatch)), kernel=KERNEL))
    machine.genesis(OWNED)
    later.machine, later.height = machine, 1
    later.next.clear()
    assert [block(later) for _ in range(3)] == mine


def test_a_kernel_of_another_interface_is_named_in_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(build, "INTERFACE", 7)
        foreign = build.build_kernel(SPEC.gas)
    with pytest.raises(Invalid, match="interface 7, this Tenor speaks 3"):
        check_kernel(foreign)
    with pytest.raises(Invalid, match="interface 7"):
        Machine(lambda _: replace(plan(), kernel=foreign)).genesis(OWNED)
    node = chain()
    first = block(node)
    with pytest.raises(Invalid, match="interface 7"):
        node.machine.apply(replace(node.opening, deployments_active=(deployment(foreign),)), [])
    second = block(node)
    assert first.state_root != second.state_root and second.height == 2


@pytest.mark.parametrize("wasm", [b"", b"\x00asm\x01\x00\x00\x00", b"not wasm", KERNEL[:-5]])
def test_what_is_no_kernel_is_refused(wasm: bytes) -> None:
    with pytest.raises(Invalid):
        check_kernel(wasm)


def test_only_the_admins_kernel_takes_over() -> None:
    node, plain = chain(), chain()
    assert block(node, deployment(deployer=development_address(5))) == block(plain)


def signed(key: int, text: str) -> SignedTransaction:
    made = DeployTransaction(
        chain=7, account=development_address(key), lane=0, sequence=0, expiry=1 << 50, gas=1, fee=0, name="kernel",
        files=((upgrade.FILE, text),), arguments=b"",
    )  # fmt: skip
    return sign(made, development_key(key))


def test_an_upgrade_travels_as_a_deployment_of_the_admin() -> None:
    one = signed(ADMIN, upgrade.packed(LATER))
    assert upgrade.upgrades(one.transaction)
    found = upgrade.deployment_of(one, OWNED)
    assert (found.wasm, found.address, found.deployer) == (LATER, KERNEL_ADDRESS, OWNED.admin)
    assert upgrade.next_kernel([found], OWNED) == LATER
    with pytest.raises(Invalid, match="admin alone"):
        upgrade.deployment_of(signed(5, upgrade.packed(LATER)), OWNED)


@pytest.mark.parametrize(
    "text", ["", "\x00", 'not base 85 "', upgrade.packed(bytes(2 << 20)), upgrade.packed(b"x")[:-3]]
)
def test_a_file_that_is_not_packed_so_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        upgrade.deployment_of(signed(ADMIN, text), OWNED)
