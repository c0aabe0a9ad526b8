"""What the engine promises, shown with programs compiled from the language and run by the real kernel."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from execution.compiler import Artifact, compile_bundle
from execution.compiler.abi import Abi
from execution.compiler.abi_values import pack, unpack_result
from execution.executor import Outcome
from execution.vm.genesis import GenesisProgram
from execution.vm.programs import code_of
from genesis.errors import Invalid
from genesis.merkle import verify_page
from genesis.transaction import Call
from node.engine import on_engine_stack
from tests.vm_kernel.tiny import Node, address, spec

DEPTH = 16


@lru_cache
def artifact_of(source: str) -> Artifact:
    return compile_bundle({"main.py": source}, "main.py")


def compiled(number: int, source: str) -> tuple[GenesisProgram, Abi]:
    """A program without `create`, ready for genesis, and its ABI."""
    artifact = artifact_of(source)
    code = code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)
    return GenesisProgram(code, address(number), None, bytes(4)), artifact.abi


def call_of(number: int, abi: Abi, name: str, *arguments: Any) -> Call:
    entry = abi.entry(name)
    return Call(address(number), entry.selector.to_bytes(4, "little"), pack(entry, arguments))


def value(abi: Abi, name: str, outcome: Outcome) -> Any:
    assert outcome.call_reasons == ("",), outcome.call_reasons
    return unpack_result(abi.entry(name), outcome.results[0])


DIVIDER = '''"""Divides."""
from execution.lang import Decimal, Program, external


class Divider(Program):
    touched: int

    @external
    def divide(self, a: int, b: int) -> int:
        self.touched += 1
        return a // b

    @external
    def share(self, a: Decimal, b: Decimal) -> Decimal:
        self.touched += 1
        return a / b
'''

TOLERANT = '''"""Calls a divider and bears its failures."""
from divider import Divider

from execution.lang import Decimal, Program, ProgramRef, Rejected, external, reason


class Tolerant(Program):
    seen: int

    @external
    def attempt(self, divider: ProgramRef[Divider], a: int, b: int) -> int:
        result = -1
        try:
            self.seen += 1
            result = divider.divide(a, b, gas=100000)
        except Rejected as refusal:
            if refusal.reason == reason("division by zero"):
                return -2
        return result

    @external
    def attempt_decimal(self, divider: ProgramRef[Divider], a: Decimal, b: Decimal) -> bool:
        try:
            divider.share(a, b, gas=100000)
        except Rejected as refusal:
            return refusal.reason == reason("division by zero")
        return False
'''


def test_division_by_zero_in_a_tolerated_call_is_rejected_to_the_caller() -> None:
    divider, _ = compiled(0, DIVIDER)
    artifact = compile_bundle({"main.py": TOLERANT, "divider.py": DIVIDER}, "main.py")
    code = code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)
    node = Node(divider, GenesisProgram(code, address(1), None, bytes(4)))
    abi = artifact.abi
    assert value(abi, "attempt", node.one(call_of(1, abi, "attempt", address(0), 7, 2))) == 3
    assert value(abi, "attempt", node.one(call_of(1, abi, "attempt", address(0), 7, 0))) == -2
    by_zero = call_of(1, abi, "attempt_decimal", address(0), "1", "0")
    assert value(abi, "attempt_decimal", node.one(by_zero)) is True
    assert (node.cell(0, 128), node.cell(1, 128)) == (1, 1), "both savepoints' writes are undone"


WIDE = 40  # members of a struct: each local of it is as many registers


def deep_program(locals_each: int, functions: int) -> str:
    """A chain of internal functions that hold many wide structs over the call; the last one calls the next program."""
    members = "\n".join(f"    m{index}: int" for index in range(WIDE))
    fresh = ",\n            ".join(f"base + {index}" for index in range(WIDE))
    lines = [
        '"""Deep."""',
        "from execution.lang import Program, ProgramRef, Struct, external",
        f"\n\nclass Wide(Struct):\n{members}\n\n\nclass Deep(Program):",
        "    depth: int\n    next: ProgramRef[Deep]",
        "\n    @external\n    def aim(self, next: ProgramRef[Deep]) -> None:\n        self.next = next",
        "\n    @external\n    def dive(self, left: int, base: int) -> int:\n        self.depth += 1",
        "        return self.step_0(left, base)",
    ]
    for number in range(functions):
        below = f"self.step_{number + 1}(left, base)" if number + 1 < functions else "self.further(left, base)"
        lines += [f"\n    def step_{number}(self, left: int, base: int) -> int:", f"        w0 = Wide({fresh})"]
        lines += [f"        w{i} = w{i - 1}.replace(m{i % WIDE}=left * {i})" for i in range(1, locals_each)]
        lines += [f"        total = {below}"]
        lines += [
            f"        total = total + w{i}.m{i % WIDE} % 7 + w{i}.m{(i + 9) % WIDE} % 3" for i in range(locals_each)
        ]
        lines += ["        return total"]
    lines += ["\n    def further(self, left: int, base: int) -> int:", "        if left == 0:\n            return 0"]
    lines += ["        return self.next.dive(left - 1, base)"]
    return "\n".join(lines) + "\n"


def largest() -> str:
    """The source with the largest frames that the compiler still takes, to two structs a function."""
    low, high, functions = 8, 33, 6
    while high - low > 2:
        middle = (low + high) // 2
        try:
            compile_bundle({"main.py": deep_program(middle, functions)}, "main.py")
            low = middle
        except Invalid as refusal:
            assert "bytes of stack" in str(refusal) or "too large" in str(refusal), refusal
            high = middle
    return deep_program(low, functions)


@pytest.mark.slow
def test_the_deepest_legal_program_never_overflows_the_stack() -> None:
    source = largest()

    def dive() -> None:
        programs = [compiled(number, source) for number in range(DEPTH + 1)]
        abi = programs[0][1]
        node = Node(*(program for program, _ in programs), of=spec(call_depth_max=DEPTH))
        for number in range(DEPTH):
            assert node.one(call_of(number, abi, "aim", address(number + 1))).status == "done"
        legal = node.one(call_of(0, abi, "dive", DEPTH - 1, 1), gas=5_000_000)
        assert legal.call_reasons == ("",), "the deepest legal path runs"
        beyond = node.one(call_of(0, abi, "dive", DEPTH, 1), gas=5_000_000)
        assert beyond.call_reasons == ("call depth",), "one more is the bound's refusal, not the stack's"

    on_engine_stack(dive)


KEEPER = '''"""Keeps secrets, and forgets them."""
from execution.lang import Account, Decimal, Map, Program, external


class Keeper(Program):
    held: Map[int, Decimal]

    @external
    def keep(self, key: int, amount: Decimal) -> None:
        self.held[key] = amount

    @external
    def forget(self, key: int) -> None:
        del self.held[key]
'''


def test_deleted_entries_cannot_be_proven() -> None:
    """After deletion no page under the root holds key or value, though its index was moved many times meanwhile."""
    program, abi = compiled(0, KEEPER)
    node = Node(program)
    key, amount = 0x1122334455667788, "123456789.987654321"
    raw = (123456789987654321 * 10**9).to_bytes(16, "little")
    assert node.one(call_of(0, abi, "keep", key, amount)).status == "done"
    for number in range(500):
        node.one(call_of(0, abi, "keep", number, "1"))
    root = node.seal().state_root
    assert any(key.to_bytes(8, "little") in page and raw in page for page in pages(node, root))
    assert node.one(call_of(0, abi, "forget", key)).status == "done"
    for number in range(500, 1200):
        node.one(call_of(0, abi, "keep", number, "1"))
    root = node.seal().state_root
    for page in pages(node, root):
        assert key.to_bytes(8, "little") not in page
        assert raw not in page


def pages(node: Node, root: bytes) -> list[bytes]:
    """Every page of program 0, each proven under the root."""
    found = []
    for number in range(len(node.machine.memory(address(0))) // 1024):
        found.append(verify_page(root, address(0), 1, number, node.machine.prover(address(0))(number)))
    return found
