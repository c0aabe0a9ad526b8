"""
A case: sources, deployments, blocks of batches of transactions. Plain data with a JSON form, so that it replays.

Addresses, selectors and arguments are bytes as the chain takes them; sequences are given when it runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genesis.errors import Invalid

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Call:
    """gas: a cap, 0 for none."""

    program: bytes
    selector: bytes
    arguments: bytes
    gas: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction. order: 0 trade, 1 post_only, 2 cancel. gas: 0 for plenty."""

    signer: bytes
    order: int
    atomic: bool
    calls: tuple[Call, ...]
    gas: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """deployed: indices of programs that become active."""

    time_ms: int
    gap_ms: int
    deployed: tuple[int, ...]
    batches: tuple[tuple[Sent, ...], ...]


@dataclass(frozen=True, slots=True)
class Program:
    """path: its main file. create: packed arguments."""

    path: str
    create: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """inlined: whether small functions of the WASM are written out, as on the chain."""

    name: str
    files: dict[str, str]
    programs: tuple[Program, ...]
    blocks: tuple[Block, ...]
    inlined: bool = True

    @property
    def calls(self) -> int:
        return sum(len(sent.calls) for block in self.blocks for batch in block.batches for sent in batch)

    def with_files(self, files: dict[str, str]) -> Case:
        return replace(self, files=files)


def to_json(case: Case, told: str) -> str:
    """A text that people can read; told: the difference."""
    data = {
        "format": FORMAT,
        "name": case.name,
        "inlined": case.inlined,
        "difference": told.splitlines(),
        "files": {path: text.splitlines() for path, text in case.files.items()},
        "programs": [[program.path, program.create.hex()] for program in case.programs],
        "blocks": [_block_json(block) for block in case.blocks],
    }
    return json.dumps(data, indent=1) + "\n"


def _block_json(block: Block) -> dict[str, Any]:
    batches = [[_sent_json(sent) for sent in batch] for batch in block.batches]
    deployed = list(block.deployed)
    return {"time_ms": block.time_ms, "gap_ms": block.gap_ms, "deployed": deployed, "batches": batches}


def _sent_json(sent: Sent) -> dict[str, Any]:
    calls = [[call.program.hex(), call.selector.hex(), call.arguments.hex(), call.gas] for call in sent.calls]
    return {"signer": sent.signer.hex(), "order": sent.order, "atomic": sent.atomic, "gas": sent.gas, "calls": calls}


def read_case(path: Path) -> Case:
    """
    The case of a file that `to_json` wrote.

    Raises:
        Invalid: it is no such file.
    """
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT:
            raise Invalid(f"{path} has format {data['format']}, not {FORMAT}; fuzz again with its seed.", "bad_case")
        files = {name: "\n".join(lines) + "\n" for name, lines in data["files"].items()}
        programs = tuple(Program(name, bytes.fromhex(create)) for name, create in data["programs"])
        return Case(data["name"], files, programs, tuple(map(_block, data["blocks"])), data["inlined"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Invalid(f"{path} is no case of the fuzzer ({error}); name a file it wrote.", "bad_case") from error


def _block(data: dict[str, Any]) -> Block:
    batches = tuple(tuple(map(_sent, batch)) for batch in data["batches"])
    return Block(data["time_ms"], data["gap_ms"], tuple(data["deployed"]), batches)


def _sent(data: dict[str, Any]) -> Sent:
    calls = tuple(
        Call(bytes.fromhex(program), bytes.fromhex(selector), bytes.fromhex(arguments), gas)
        for program, selector, arguments, gas in data["calls"]
    )
    return Sent(bytes.fromhex(data["signer"]), data["order"], data["atomic"], calls, data["gas"])
