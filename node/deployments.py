"""
From a deployment's source to what a block records of it. Compilation runs in a process of its own, before the
transaction is let into the mempool, so that nobody pays for a program that does not compile.
"""

from __future__ import annotations

import subprocess
import sys

import msgpack
import trio

from execution.vm import upgrade
from execution.vm.machine import check_kernel
from execution.vm.packing import intrinsic_gas
from genesis.chain import Deployment, DeployTransaction, SignedTransaction, program_address
from genesis.errors import Invalid
from genesis.spec import ChainSpec

COMPILER = "tenor 1"
COMPILE_SECONDS_MAX = 20
COMPILING_MAX = 1
"""One at a time: the machine's other core belongs to trading."""

_limiter = trio.CapacityLimiter(COMPILING_MAX)


async def prepare(signed: SignedTransaction, spec: ChainSpec) -> Deployment:
    """
    Compile a deployment; a kernel upgrade is unpacked and tried.

    Raises:
        Invalid: "does_not_compile" with file, line, column and remedy; "bad_bundle" without a main file; "bad_kernel",
        "kernel_interface", "not_authorised" for a kernel.
    """
    t = signed.transaction
    assert isinstance(t, DeployTransaction), "only deployments are prepared"
    if upgrade.upgrades(t):
        work = upgrade.deployment_of(signed, spec)
        await trio.to_thread.run_sync(check_kernel, work.wasm)
        return work
    ir_hash, wasm, abi = await compile_apart(dict(t.files), main_file(t), spec.gas_table)
    return Deployment(
        program_address(signed.signer, t.lane, t.sequence), signed.id, signed.signer, t.name, t.arguments, t.admin,
        COMPILER, ir_hash, wasm, abi,
    )  # fmt: skip


def check(signed: SignedTransaction, spec: ChainSpec) -> None:
    """
    What can be said of a deployment before it is compiled.

    Raises:
        Invalid: "bad_bundle" without a main file, "gas_limit" when the gas does not cover its bytes.
    """
    t = signed.transaction
    assert isinstance(t, DeployTransaction), "only deployments are checked"
    if not upgrade.upgrades(t):
        main_file(t)
    needed = intrinsic_gas(t, spec.gas)
    if t.gas < needed:
        raise Invalid(f"Gas {t.gas} is too little for a deployment of this size; it takes {needed}.", "gas_limit")


def main_file(transaction: DeployTransaction) -> str:
    """The file that defines the program: `<name>.py`, or the only one."""
    paths = [path for path, _ in transaction.files]
    wanted = f"{transaction.name}.py"
    if wanted in paths:
        return wanted
    if len(paths) == 1:
        return paths[0]
    raise Invalid(f"The bundle has no {wanted}; name the deployment after the program's file.", "bad_bundle")


async def compile_apart(files: dict[str, str], main: str, gas: tuple[tuple[str, int], ...]) -> tuple[bytes, bytes, str]:
    """Return IR hash, WASM and ABI text. Raises Invalid, also when time or memory ran out."""
    request = msgpack.packb((tuple(files.items()), main, gas))
    command = [sys.executable, "-m", "node.compile_job"]
    async with _limiter:
        with trio.move_on_after(COMPILE_SECONDS_MAX):
            done = await trio.run_process(
                command, stdin=request, capture_stdout=True, capture_stderr=True, check=False, shell=False
            )
            return _answer(done)
    raise Invalid(f"Compiling took longer than {COMPILE_SECONDS_MAX} s; make the program smaller.", "does_not_compile")


def _answer(done: subprocess.CompletedProcess[bytes]) -> tuple[bytes, bytes, str]:
    if done.returncode != 0:
        raise Invalid("The compiler ran out of time or memory; make the program smaller.", "does_not_compile")
    word, first, second, abi = msgpack.unpackb(done.stdout)
    if word != "ok":
        raise Invalid(second, first)
    return first, second, abi
