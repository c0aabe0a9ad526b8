"""
Programs going on as their next version: recorded by a block, staged some blocks later, switched when its time has come.

A switch gives the program an instance of the new code with the memory of the old one; the kernel's record and tables
lead to it from then on. When the version's @migrate refuses, the old instance is put back.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

from execution.compiler.abi import parse_abi
from execution.compiler.growth import difference
from execution.vm.deploy import Program
from execution.vm.host import Code, Host, Trapped
from execution.vm.kernel import places
from execution.vm.kernel.words import BAD_ARGUMENT, LAYOUT, TRAP
from execution.vm.programs import code_of
from genesis.chain import Deployment

_HASHES = struct.Struct("<32s32s32s")
_CALL = struct.Struct("<24x4sHHq")
_NEW_CALL = 8 * places.RECORD_WORDS + 24 + 24
MIGRATE = "migrate"


def word_of(deployment: Deployment) -> int:
    """What the kernel's record names an announced version by."""
    return int.from_bytes(deployment.transaction_id[:8], "little", signed=True)


def staged(host: Host, number: int, program: Program, deployment: Deployment) -> Program:
    """The program with a version to switch to; as it was when that was cancelled, or does not fit its state."""
    if host.call("upgrade_state", number, word_of(deployment)) == places.UPGRADE_GONE:
        return program
    if difference(parse_abi(program.code.abi_json), parse_abi(deployment.abi), program.room):
        host.call("tell_upgrade", number, LAYOUT)
        return program
    return replace(program, staged=deployment)


def waiting(host: Host, programs: Sequence[Program]) -> list[int]:
    """Numbers of the programs whose staged version is due, or was cancelled."""
    return [
        number
        for number, program in enumerate(programs, 1)
        if program.staged is not None
        and host.call("upgrade_state", number, word_of(program.staged)) != places.UPGRADE_WAITS
    ]


def switched(host: Host, number: int, program: Program, gas: int) -> Program:
    """The program under its next version, or under the present one when that was cancelled or its @migrate refused."""
    deployment = program.staged
    assert deployment is not None, "only what is staged is switched"
    if host.call("upgrade_state", number, word_of(deployment)) == places.UPGRADE_GONE:
        return replace(program, staged=None)
    code = code_of(deployment.name, deployment.wasm, parse_abi(deployment.abi), bytes(32))
    why = _switch(host, number, code, deployment, gas)
    host.call("tell_upgrade", number, why)
    return replace(program, code=program.code if why else code, staged=None)


def _switch(host: Host, number: int, code: Code, deployment: Deployment, gas: int) -> int:
    """Put the new instance in place and run its @migrate; 0, or the reason why the old one is back."""
    entry = next((one for one in parse_abi(deployment.abi).entries if one.kind == MIGRATE), None)
    selector = bytes(4) if entry is None else entry.selector.to_bytes(4, "little")
    words = len(deployment.arguments) // 8
    if entry is not None and code.entries[selector][0] * 8 != len(deployment.arguments):
        return BAD_ARGUMENT
    hashes = _HASHES.pack(code.layout_hash, code.code_hash, code.source_hash)
    host.write(0, "io", places.IO_INPUT + 8 * places.RECORD_LAYOUT, hashes)
    call = _CALL.pack(selector, words, 0, gas) + deployment.arguments
    host.write(0, "io", places.IO_INPUT + _NEW_CALL, call)
    before = host.replace(number, code)
    try:
        why = host.call("upgrade_program", number, int(entry is not None))
    except Trapped:
        host.call("abandon")
        why = TRAP
    if why:
        host.reinstate(number, before)
    return why
