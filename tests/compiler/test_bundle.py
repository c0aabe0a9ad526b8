"""Bundles: what modules give each other, and where errors in them are shown."""

from __future__ import annotations

import pytest

from execution.compiler import CompileError, check_bundle, compile_bundle, compile_ir
from execution.compiler.standard import source_of

SHARES = '''
"""A library: shares of a pot."""

from execution.lang import Decimal, Struct

PARTS: int = 4
HALF = Decimal("0.5")


class Share(Struct):
    part: Decimal
    whole: Decimal


def split(whole: Decimal, parts: int = PARTS) -> Share:
    return Share(whole / parts, whole)


def unused(whole: Decimal) -> Decimal:
    return split(whole).part * HALF
'''

POT = '''
"""A pot that uses the library."""

from execution.lang import Decimal, Program, ProgramRef, external
from execution.programs.bank import Bank
from lib.shares import PARTS, Share, split


class Pot(Program):
    bank: ProgramRef[Bank]
    last: Share

    @external
    def pour(self, whole: Decimal) -> Decimal:
        self.last = split(whole)
        return self.last.part * PARTS
'''

FILES = {"pot.py": POT, "lib/shares.py": SHARES}


def test_a_library_is_compiled_in_as_far_as_it_is_used() -> None:
    module, abi = compile_ir(FILES, "pot.py")
    assert [function.name for function in module.functions] == ["lib.shares.split", "Pot.pour", "entry.pour"]
    assert abi.entry("pour").signature == "pour(decimal)"


def test_a_library_is_checked_by_itself() -> None:
    check_bundle(FILES, "lib/shares.py", library=True)
    with pytest.raises(CompileError, match="defines no program"):
        check_bundle(FILES, "lib/shares.py")


def test_an_error_in_a_library_is_shown_in_its_file() -> None:
    files = {**FILES, "lib/shares.py": SHARES.replace("whole / parts", "whole / Pots")}
    with pytest.raises(CompileError) as caught:
        check_bundle(files, "pot.py")
    assert (caught.value.file, caught.value.line) == ("lib/shares.py", 16)


def test_a_bundles_own_copy_of_an_interface_wins_over_the_installed_one() -> None:
    own = "from execution.lang import Program, Rejected, view\n\n\nclass Bank(Program):\n    @view\n"
    own += "    def own(self) -> int:\n"
    files = {**FILES, "execution/programs/bank.py": own + '        raise Rejected("interface")\n'}
    used = POT.replace("        self.last = split(whole)", "        self.last = split(whole * self.bank.own())")
    check_bundle({**files, "pot.py": used}, "pot.py")
    with pytest.raises(CompileError, match="Bank offers no `own`"):
        check_bundle({**FILES, "pot.py": used}, "pot.py")


@pytest.mark.parametrize("name", ["bank", "oracle", "clearing", "exchange", "perpetual"])
def test_the_standard_programs_compile(name: str) -> None:
    path = f"execution/programs/{name}.py"
    source = source_of(f"execution.programs.{name}")
    assert source is not None
    assert compile_bundle({path: source}, path).wasm.startswith(b"\0asm")
