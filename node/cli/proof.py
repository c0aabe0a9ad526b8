"""
`tenor proof`: answers that prove themselves, asked of a node and checked without one.

A saved answer is what `--json` prints: of `tenor proof value`, or of `tenor tx receipt --proof`.
"""

from __future__ import annotations

import json as json_text
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from genesis.errors import Invalid
from node.cli.edge import progress, show
from node.cli.options import URL, Json, Url

if TYPE_CHECKING:
    from execution.compiler import types as t
    from execution.compiler.abi import Abi
    from genesis.spec import ChainSpec
    from node.cli.session import Names
    from node.client import Client
    from settlement.local import LocalSettlement

app = typer.Typer(no_args_is_help=True)

T = TypeVar("T")
ANSWER_BYTES_MAX = 64 << 20
OTHER_SET = ("unknown_validator", "no_quorum")
"""Codes of `check_certificate` for one that other validators may have made."""


@app.command()
def value(
    program: Annotated[str, typer.Argument(help="Address or name.")],
    field: Annotated[str, typer.Argument(help="Field of the program's storage.")],
    path: Annotated[
        list[str] | None, typer.Argument(help="From the field down: key (a struct as JSON), index, name of a member.")
    ] = None,
    url: Url = URL,
    json: Json = False,
) -> None:
    """
    Ask a node for a value in a program's storage, with the proof that it is there, or that it is not.

    Whole, to be saved and checked, with --json; for people the value as the node tells it, and what the proof weighs.
    """
    from node.cli.session import Names
    from node.client import blocking

    async def ask(client: Client) -> dict[str, Any]:
        names = await Names.load(client)
        known = names.programs[program]
        steps, of = _steps(known.abi, field, path or [], names)
        answer = await client.value_proof(known.address, field, *steps)
        return answer if json else _outline(answer, of)

    show(blocking(url, ask), json)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A saved answer.")],
    chain: Annotated[str, typer.Option("--chain", help="Preset or specification: chain id and validators.")] = "devnet",
    validators: Annotated[
        Path | None, typer.Option("--validators", help="JSON file {address: stake}, for a later set of validators.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--source", help="File that defines the program asked for.")] = None,
    settlement: Annotated[
        Path | None, typer.Option("--settlement", help="The local settlement chain, to ask for set and commitment.")
    ] = None,
    json: Json = False,
) -> None:
    """
    Check a saved answer offline: certificate, header, root, leaf, content. Exit code 1 when anything is wrong.

    Believed are the chain's id and its validators: the first ones, those of --validators, or with --settlement those of
    the set that the block names, if it can have certified it. Of a devnet the first ones are as many as it was started
    with: their keys are published, and so many prove as much as one. A named value is found again in the pages, by the
    storage layout of --source or of this Tenor's own programs, if that is the code which the state names.
    """
    from node.chains import load_chain

    answer, spec = _read(file), load_chain(chain, Path())
    sets: Iterable[Mapping[bytes, int]]
    if validators is not None:
        sets = (_stakes(validators),)
    elif settlement is not None:
        sets = (_holding(settlement, spec, answer),)
    else:
        sets = _first_sets(chain, spec)
    if "pages" in answer:
        show(_by_one_of(sets, lambda stakes: _state(answer, spec, stakes, source)), json)
    else:
        show(_by_one_of(sets, lambda stakes: _receipt(answer, spec, stakes, settlement)), json)


def _first_sets(chain: str, spec: ChainSpec) -> Iterator[Mapping[bytes, int]]:
    """The validators a chain began with; of a devnet nothing says how many there are."""
    yield spec.stakes
    if chain == "devnet":
        from genesis.presets import parse_spec
        from node.localnet import VALIDATORS_MAX, chain_text

        for count in range(2, VALIDATORS_MAX + 1):
            yield parse_spec(chain_text(count)).stakes


def _by_one_of(sets: Iterable[Mapping[bytes, int]], check: Callable[[Mapping[bytes, int]], T]) -> T:
    """What a check says by the first set whose certificate this is; raises as it does by the first of all."""
    first: Invalid | None = None
    for stakes in sets:
        try:
            return check(stakes)
        except Invalid as error:
            if error.code not in OTHER_SET:
                raise
            first = first or error
    assert first is not None, "a chain began with some validators"
    raise first


def _outline(answer: Mapping[str, Any], of: t.Type) -> dict[str, Any]:
    """An answer in a few lines: the value, of the type `of`, and what the proof of it consists of."""
    from node.views import parse_bytes

    def weight(row: Mapping[str, Any]) -> dict[str, int]:
        page, *way = (len(parse_bytes(part)) for part in row["proof"])
        return {"page": row["page"], "bytes": page, "proof bytes": sum(way)}

    stated = answer["value"]
    return {
        "program": answer["program"], "height": answer["height"], "field": stated["field"], "path": stated["path"],
        "value": _content(of, parse_bytes(stated["data"])) if stated["address"] else None,
        "header_bytes": len(parse_bytes(answer["header"])),
        "certificate_bytes": len(parse_bytes(answer["certificate"])), "pages": [weight(row) for row in answer["pages"]],
    }  # fmt: skip


def _content(of: t.Type, data: bytes) -> Any:
    """A value's image as one reads it; of containers and records, which are not read whole, the bytes."""
    from execution.compiler import types as t
    from execution.compiler.abi_values import read
    from node.catalogue import readable

    whole = isinstance(of, (*t.CONTAINERS, t.RecordType))
    return data if whole else readable(of, read(of, data))


def _state(
    answer: Mapping[str, Any], spec: ChainSpec, stakes: Mapping[bytes, int], source: Path | None
) -> dict[str, Any]:
    from genesis.verify import verify_state
    from node.proofs import check_value

    proven = verify_state(answer, spec.chain_id, stakes)
    header = proven.header
    view: dict[str, Any] = {
        "proven": "state", "height": header.height, "time_ms": header.time_ms, "block": header.hash(),
        "validators": header.validators, "program": proven.program, "code_hash": proven.code_hash,
        "pages": sorted(proven.pages),
    }  # fmt: skip
    stated = answer["value"]
    if stated is None:
        return view
    abi = _layout(proven.code_hash, spec, source)
    if abi is None:
        progress("no layout of this code is at hand: the bytes are proven, not that they are this value; use --source")
        return view | {"named": False, "address": stated["address"], "data": stated["data"]}
    place = check_value(abi, answer, proven)
    content = _content(place.type, proven.read(place.address, place.size)) if place.address else None
    return view | {"named": True, "field": stated["field"], "path": stated["path"], "value": content}


def _receipt(
    answer: Mapping[str, Any], spec: ChainSpec, stakes: Mapping[bytes, int], settlement: Path | None
) -> dict[str, Any]:
    from dataclasses import replace

    from genesis.verify import verify_receipt
    from node.cli.session import receipt_head
    from node.views import parse_receipt

    if answer.get("proof") is None:
        raise Invalid("The answer holds no proof: until its block is certified, a receipt has none.", "no_proof")
    proven = verify_receipt(answer["proof"], spec.chain_id, stakes)
    told = parse_receipt(dict(answer))
    if replace(told, stage="certified") != proven.receipt:
        raise Invalid("The receipt shown is not the one that is proven.", "bad_proof")
    if (proven.commitment is not None) != (told.stage in ("posted", "final")):
        raise Invalid(f"The receipt is shown as {told.stage}, which its proof does not bear out.", "bad_proof")
    header, view = proven.header, receipt_head(proven.receipt)
    view = {"proven": "receipt", "block": header.hash(), "validators": header.validators, **view}
    if proven.commitment is None:
        return view
    standing = "not asked" if settlement is None else _standing(settlement, spec, proven.commitment)
    return view | {"commitment": proven.commitment, "standing": standing}


def _standing(file: Path, spec: ChainSpec, commitment: bytes) -> str:
    """What the settlement chain says of a commitment."""
    return _asked(file, spec, lambda chain: chain.standing(commitment))


def _holding(file: Path, spec: ChainSpec, answer: Mapping[str, Any]) -> Mapping[bytes, int]:
    """The set that the answer's header names, as the settlement chain has it."""
    from genesis.membership import eligible
    from genesis.verify import stated_header

    header = stated_header(answer if "pages" in answer else answer.get("proof") or {})
    sets = _asked(file, spec, lambda chain: chain.validator_sets(0, header.anchor_number))
    for one in eligible(sets, 0, header.anchor_number):
        if one.version == header.validators:
            return one.stakes
    raise Invalid(f"No set {header.validators} can have certified block {header.height}.", "wrong_validators")


def _asked(file: Path, spec: ChainSpec, ask: Callable[[LocalSettlement], Awaitable[T]]) -> T:
    import trio

    from node.cli.crossing import existing
    from settlement.contract import Terms
    from settlement.local import open_local

    async def run() -> T:
        async with open_local(existing(file), Terms.of(spec)) as chain:
            return await ask(chain)

    return trio.run(run)


def _layout(code_hash: bytes, spec: ChainSpec, source: Path | None) -> Abi | None:
    """The ABI of exactly this code: of a file, or of a standard program of this Tenor."""
    from execution.compiler import compile_bundle
    from genesis.crypto import sha256
    from node.bundle import read_bundle
    from node.compiled import genesis_code

    if source is None:
        artifacts = list(genesis_code(spec).artifacts.values())
    else:
        artifacts = [compile_bundle(*read_bundle(source))]
    found = [artifact.abi for artifact in artifacts if sha256(artifact.wasm) == code_hash]
    if source is not None and not found:
        raise Invalid(f"{source} does not compile to the code 0x{code_hash.hex()} that the state names.", "other_code")
    return found[0] if found else None


def _steps(abi: Abi, field: str, texts: list[str], names: Names) -> tuple[list[bytes | str], t.Type]:
    """
    Typed by a person, packed as the path takes them, and the type of what they lead to.

    What does not fit is left to the node to refuse.
    """
    from execution.compiler import types as t
    from execution.compiler.abi_values import image, to_plain
    from node.cli.arguments import parse_value

    of: t.Type = next((kind for name, kind, _ in abi.fields if name == field), t.NONE)
    steps: list[bytes | str] = []
    for text in texts:
        match of:
            case t.MapType(key, below):
                steps.append(image(key, to_plain(key, parse_value(key, text, "A key", names), "A key")))
            case t.ListType(below):
                steps.append(image(t.INT, to_plain(t.INT, parse_value(t.INT, text, "An index", names), "An index")))
            case t.RecordType(_, fields):
                steps.append(text)
                below = dict(fields).get(text, t.NONE)
            case _:
                steps.append(text)
                below = t.NONE
        of = below
    return steps, of


def _read(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > ANSWER_BYTES_MAX:
            raise Invalid(f"{file} is larger than {ANSWER_BYTES_MAX} bytes; an answer is not.", "bad_file")
        answer = json_text.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise Invalid(
            f"{file} cannot be read as a saved answer ({error}); save what --json prints.", "bad_file"
        ) from error
    if not isinstance(answer, dict) or not {"pages", "stage"} & answer.keys():
        raise Invalid(f"{file} holds no answer of `tenor proof value` or `tenor tx receipt --proof`.", "bad_file")
    return answer


def _stakes(file: Path) -> dict[bytes, int]:
    from genesis import codec
    from genesis.crypto import parse_address

    try:
        rows = json_text.loads(file.read_text()).items()
    except (OSError, ValueError, AttributeError) as error:
        raise Invalid(f"{file} is no JSON object {{address: stake}}: {error}.", "bad_file") from error
    for _, stake in rows:
        codec.check_uint(stake, 63, "A stake")
    return {parse_address(address): stake for address, stake in rows}
