"""
From a deployment's source to what a block records of it. It is compiled (`compiling`) before the transaction is let
into the mempool, so that nobody pays for a program that does not compile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from execution.compiler.abi import parse_abi
from execution.compiler.abi_values import WORD
from execution.compiler.growth import difference
from execution.compiler.types import words
from execution.executor import ProgramInfo
from execution.vm import upgrade
from execution.vm.machine import check_kernel
from execution.vm.packing import intrinsic_gas
from genesis.chain import (
    Deployment,
    SignedTransaction,
    SourceTransaction,
    Transaction,
    UpgradeTransaction,
    program_address,
)
from genesis.errors import Invalid
from genesis.spec import ChainSpec
from node.compiling import Compiler

COMPILER = "tenor 1"
Programs = Sequence[ProgramInfo]


async def prepare(
    signed: SignedTransaction, spec: ChainSpec, programs: Callable[[], Awaitable[Programs]], compiler: Compiler
) -> Deployment:
    """
    Compile a deployment; a kernel upgrade is unpacked and tried, a program's next version held against its present one.

    programs: asks which there are now.

    Raises:
        Invalid: "does_not_compile" with file, line, column and remedy; "bad_bundle" without a main file; "bad_kernel",
        "kernel_interface", "not_authorised" for a kernel; for a next version what `check_admin` and `check_growth` say.
        Unavailable: this machine is too busy to compile.
    """
    t = signed.transaction
    assert not isinstance(t, Transaction), "only what has source is prepared"
    if upgrade.upgrades(t):
        work = upgrade.deployment_of(signed, spec)
        await trio.to_thread.run_sync(check_kernel, work.wasm)
        return work
    if isinstance(t, UpgradeTransaction):
        check_admin(t, await programs())
    ir_hash, wasm, abi = await compiler.compile(dict(t.files), main_file(t), spec.gas_table)
    if isinstance(t, UpgradeTransaction):
        check_growth(t, abi, check_admin(t, await programs()))
        return Deployment(
            t.program, signed.id, signed.signer, t.name, t.arguments, b"", COMPILER, ir_hash, wasm, abi
        )  # fmt: skip
    return Deployment(
        program_address(signed.signer, t.lane, t.sequence), signed.id, signed.signer, t.name, t.arguments, t.admin,
        COMPILER, ir_hash, wasm, abi,
    )  # fmt: skip


def check_admin(t: UpgradeTransaction, programs: Programs) -> ProgramInfo:
    """The program to upgrade. Raises Invalid "unknown_program", "not_authorised", "upgrade_pending"."""
    info = next((one for one in programs if one.address == t.program), None)
    if info is None:
        raise Invalid(f"There is no program at 0x{t.program.hex()}; see `tenor program list`.", "unknown_program")
    if info.admin == bytes(20):
        raise Invalid(f"{info.name} has no admin: nobody can ever upgrade it.", "not_authorised")
    if info.admin != t.account:
        raise Invalid(f"Only its admin 0x{info.admin.hex()} upgrades {info.name}.", "not_authorised")
    if info.upgrade_time_ms is not None:
        raise Invalid(f"A version of {info.name} is announced already; cancel it first.", "upgrade_pending")
    return info


def check_growth(t: UpgradeTransaction, abi: str, info: ProgramInfo) -> None:
    """Raises Invalid "layout", naming the first field that differs; "bad_argument" for arguments of another length."""
    new = parse_abi(abi)
    why = difference(parse_abi(info.abi_json), new, info.room)
    if why:
        raise Invalid(
            f"The fields of {t.name} do not go on from those of version {info.version}: {why}. Keep the old fields as "
            "they are, in order, and add new ones behind them.",
            "layout",
        )
    entry = next((one for one in new.entries if one.kind == "migrate"), None)
    wanted = 0 if entry is None else WORD * sum(words(of) for _, of in entry.parameters)
    if len(t.arguments) != wanted:
        taken = "there is no @migrate" if entry is None else f"{entry.signature} takes {wanted} bytes"
        raise Invalid(f"The arguments have {len(t.arguments)} bytes; {taken}.", "bad_argument")


def check(signed: SignedTransaction, spec: ChainSpec) -> None:
    """
    What can be said of a deployment before it is compiled.

    Raises:
        Invalid: "bad_bundle" without a main file, "gas_limit" when the gas does not cover its bytes.
    """
    t = signed.transaction
    assert not isinstance(t, Transaction), "only what has source is checked"
    if not upgrade.upgrades(t):
        main_file(t)
    needed = intrinsic_gas(t, spec.gas)
    if t.gas < needed:
        raise Invalid(f"Gas {t.gas} is too little for a deployment of this size; it takes {needed}.", "gas_limit")


def main_file(transaction: SourceTransaction) -> str:
    """The file that defines the program: `<name>.py`, or the only one."""
    paths = [path for path, _ in transaction.files]
    wanted = f"{transaction.name}.py"
    if wanted in paths:
        return wanted
    if len(paths) == 1:
        return paths[0]
    raise Invalid(f"The bundle has no {wanted}; name the deployment after the program's file.", "bad_bundle")
