"""What dispatch lets through, how context looks in a world, what the kernel is told; in WASM and interpreted alike."""

from __future__ import annotations

from random import Random

import pytest

from execution.compiler.gas import GAS
from execution.compiler.ir import Module
from execution.compiler.ir_text import parse
from execution.compiler.optimise import optimise
from execution.compiler.write import write
from execution.vm.kernel.places import CLASS, FRAME_SENDER, SIGNER, TIME, WORLD, WORLD_SHIFT
from execution.vm.layout import MAGIC
from execution.vm.runtime.words import reason
from tests.compiler_back.generate import arguments, module
from tests.compiler_back.kernel_stub import FRAME, REFUSED
from tests.compiler_back.legs import Outcome, PythonLeg, WasmLeg

PLENTY = 10**9
DONE, REJECTED, EXHAUSTED = range(3)
VIEW, KERNEL = 1, 2
SELECTORS = {"cancel": 1, "post": 2, "trade": 3, "view": 4, "hook": 0xFFFF_FFFF, "far": 0x8000_0000}
GATES = (
    "module gates heap 1024\n"
    "entry 0x00000001 f cancel\nentry 0x00000002 f post_only\nentry 0x00000003 f trade\nentry 0x00000004 f trade view\n"
    "entry 0xffffffff f trade hook\nentry 0x80000000 f trade\n"
    "function f(w0) -> () registers (w) {\n}\n"
)


class Both:
    """Runs both legs and insists that they agree."""

    def __init__(self, text: str) -> None:
        found = optimise(parse(text), GAS)
        self._legs = (PythonLeg(found), WasmLeg(found))

    def poke(self, address: int, *words: int) -> None:
        data = b"".join(word.to_bytes(8, "little", signed=True) for word in words)
        for leg in self._legs:
            leg.poke(address, data)

    def run(self, selector: int, *words: int, flags: int = 0, gas: int = PLENTY) -> Outcome:
        packed = b"".join(word.to_bytes(8, "little", signed=True) for word in words)
        python, wasm = (leg.run(selector, packed, gas, flags) for leg in self._legs)
        assert python == wasm
        return wasm


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 8], "little", signed=True) for i in range(0, len(data), 8)]


TOUCH, OTHER = "touch.8 128 + 0\n", "touch.8 w1 + 136\n"


def body(text: str, registers: str = "wwwwww") -> str:
    return (
        "module m heap 2048\nentry 0x00000001 run trade\n"
        f"function run(w0) -> () registers ({registers}) {{\n{text}\n}}\n"
    )


@pytest.fixture(scope="module")
def gates() -> Both:
    return Both(GATES)


@pytest.mark.parametrize(
    ("entry", "of_class", "flags", "refused"),
    [
        ("trade", 0, 0, ""),
        ("trade", 1, 0, "order class"),
        ("trade", 2, 0, "order class"),
        ("far", 2, 0, "order class"),
        ("post", 0, 0, ""),
        ("post", 1, 0, ""),
        ("post", 2, 0, "order class"),
        ("cancel", 2, 0, ""),
        ("view", 2, 0, ""),
        ("view", 2, VIEW, ""),
        ("trade", 0, VIEW, "unknown entry"),
        ("cancel", 0, VIEW, "unknown entry"),
        ("hook", 0, 0, "unknown entry"),
        ("hook", 2, KERNEL, ""),
        ("hook", 0, KERNEL | VIEW, "unknown entry"),
    ],
)
def test_who_reaches_which_entry(gates: Both, entry: str, of_class: int, flags: int, refused: str) -> None:
    gates.poke(CLASS, of_class)
    outcome = gates.run(SELECTORS[entry], flags=flags)
    assert (outcome.status, outcome.reason) == ((REJECTED, reason(refused)) if refused else (DONE, 0))


@pytest.mark.parametrize("selector", [0, 5, 0x7FFF_FFFF, 0xFFFF_FFFE, 0x8000_0001])
def test_a_selector_nobody_has_is_unknown(gates: Both, selector: int) -> None:
    gates.poke(CLASS, 0)
    assert gates.run(selector).reason == reason("unknown entry")


def test_start_writes_the_program_record(gates: Both) -> None:
    assert words(gates.run(4).state)[:2] == [MAGIC, 1024]


CONTEXT = body(
    "w1 = context time\nw2 = context world\nscratch_store w0 + 0, w1\nscratch_store w0 + 8, w2\n"
    "w1, w2, w3 = context sender\nscratch_store w0 + 16, w2\n"
    "w1, w2, w3 = context signer\nscratch_store w0 + 24, w3"
)


def test_a_world_shifts_time_and_hides_people() -> None:
    both = Both(CONTEXT)
    both.poke(TIME, 1_000)
    both.poke(SIGNER, 1, 2, 3)
    both.poke(FRAME + FRAME_SENDER, 4, 5, 6)
    both.poke(WORLD_SHIFT, 50)
    assert words(both.run(1).results)[:4] == [1_000, 0, 5, 3]
    both.poke(WORLD, 9)
    assert words(both.run(1).results)[:4] == [1_050, 9, 0, 0]


@pytest.mark.parametrize(("cap", "told"), [(" gas w1", 0), (" gas -5", 0), ("", -1), (" gas w2", 70)])
def test_a_negative_cap_is_none_left_and_not_none_set(cap: str, told: int) -> None:
    both = Both(body(f"w1 = scratch_load w0 + 0\nw2 = scratch_load w0 + 8\ninvoke (w0, w0, w0) 0x00000008(){cap}"))
    assert words(both.run(1, -1, 70).log)[3] == told


@pytest.mark.parametrize("cap", [-1, 0, 1, 2])
def test_a_cap_that_is_calculated_is_told_as_it_is_from_0_on(cap: int) -> None:
    both = Both(body("w1 = scratch_load w0 + 0\ninvoke (w0, w0, w0) 0x00000008() gas w1"))
    assert words(both.run(1, cap).log)[3] == max(cap, 0)


CAUGHT = body(
    "touch.8 128 + 0\nstore.8 128 + 0, 1\n"
    "try w1 {\ntouch.8 1032 + 0\nstore.8 1032 + 0, 2\ntouch.8 128 + 0\nstore.8 128 + 0, 3\n"
    "w2 = invoke (w0, w0, w0) 0x00000007(w0, w0)\n} handler {\nscratch_store w0 + 0, w1\n}"
)


def test_a_caught_refusal_undoes_what_the_try_did() -> None:
    outcome = Both(CAUGHT).run(1)
    assert outcome.status == DONE
    assert words(outcome.results)[0] == REFUSED
    state = words(outcome.state)
    assert (state[16], state[129]) == (1, 0)


def test_want_of_gas_passes_through_a_try() -> None:
    both = Both(body("try w1 {\nloop {\nw1 = add.w w1, 1\n}\n} handler {\n}"))
    assert both.run(1, gas=5_000).status == EXHAUSTED


def test_an_overflow_inside_a_try_is_caught_there() -> None:
    text = "w1 = scratch_load w0 + 0\ntry w2 {\nw1 = mul.w w1, w1\n} handler {\nscratch_store w0 + 0, w2\n}"
    assert words(Both(body(text)).run(1, 1 << 40).results)[0] == reason("overflow")


def test_a_return_out_of_a_try_keeps_what_was_done() -> None:
    both = Both(body("try w1 {\ntouch.8 128 + 0\nstore.8 128 + 0, 7\nkeep\nreturn\n} handler {\n}\nreject 5"))
    outcome = both.run(1)
    assert (outcome.status, words(outcome.state)[16]) == (DONE, 7)


def test_a_line_is_paid_for_once_under_a_mark() -> None:
    """Touches from different bases, which are not made one."""
    base = "w1 = load.8 128 + 0\n"
    once, twice = (Both(body(base + text)).run(1).gas for text in (OTHER, TOUCH + OTHER))
    assert once - twice == GAS["touch"]
    assert PLENTY - once == GAS["load"] + GAS["touch"] + GAS["touch_line"] + GAS["dirty_page"]


def test_equal_modules_give_equal_bytes() -> None:
    def built() -> Module:
        return optimise(module(3), GAS)

    assert write(built(), GAS) == write(built(), GAS)


def test_the_stack_pointer_is_back_after_every_run() -> None:
    found = optimise(module(11), GAS)
    leg, random = WasmLeg(found), Random(5)
    for entry in found.entries:
        outcome = leg.run(entry.selector, arguments(random), PLENTY)
        assert outcome.status != DONE or 4096 in outcome.tops
