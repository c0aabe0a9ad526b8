"""
`tenor program trace`: what a stored transaction called, what that cost, and where it failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genesis.errors import Invalid
from node.cli.edge import plain, progress, show
from node.cli.options import Json

if TYPE_CHECKING:
    from node.testing.interpreted import Called
    from node.tracing import Traced

EVERY_BLOCKS = 100
ID_BYTES = 32


def trace(
    transaction: Annotated[str, typer.Argument(help="Id of a transaction that is in a block.")],
    folder: Annotated[Path, typer.Option("--folder", help="Folder of a node: where its node.toml is, or its data.")],
    chain: Annotated[str, typer.Option(help="Preset or specification, when the folder has no node.toml.")] = "devnet",
    profile: Annotated[bool, typer.Option("--profile", help="Tell the gas of every line, too.")] = False,
    json: Json = False,
) -> None:
    """
    Run a stored transaction again: its calls with their gas and, where it failed, source lines with locals.

    Works on a copy of what the node has stored, so the node may be running. Only what it certified is there.
    """
    from node.audit import located
    from node.tracing import trace as run_trace

    def tell(height: int, last: int) -> None:
        if height % EVERY_BLOCKS == 0:
            progress(f"replayed {height} of {last} blocks")

    traced = run_trace(*located(folder, chain), _identity(transaction), tell)
    result = _result(traced)
    if profile:
        result["profile"] = _profile(traced)
    if json:
        show(result, json)
    else:
        _print(plain(result))


def _identity(text: str) -> bytes:
    try:
        identity = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        identity = b""
    if len(identity) != ID_BYTES:
        raise Invalid(f"{text[:80]} is no transaction's id: 0x and 64 hexadecimal digits.", "bad_id")
    return identity


def _result(traced: Traced) -> dict[str, Any]:
    """
    agrees: whether both runs ended as the receipt says; None where that cannot be said: of gas when it failed, for a
    failing line is charged here by itself, and of the run under CPython when there was none.
    """
    receipt = traced.receipt
    again = traced.rerun
    reasons = None if again is None else tuple(ran.reason for ran in again.calls)
    return {
        "transaction": receipt.transaction,
        "height": receipt.height,
        "status": receipt.status,
        "reason": receipt.reason,
        "gas_used": receipt.gas_used,
        "calls": [_called(call, traced) for call in traced.host.calls],
        "stack": [_frame(frame) for frame in again.stack] if again is not None else [],
        "last_line": _last_line(traced),
        "agrees": {
            "gas": traced.outcome.gas_used == receipt.gas_used if receipt.status == "done" else None,
            "reasons": traced.outcome.call_reasons == receipt.call_reasons,
            "cpython": None if reasons is None else reasons == receipt.call_reasons,
        },
    }


def _called(call: Called, traced: Traced) -> dict[str, Any]:
    from execution.compiler.abi_values import unpack_plain
    from execution.compiler.types import words
    from node.catalogue import readable

    abi = traced.programs[call.number].source.abi
    entry = abi.by_selector.get(call.selector)
    row: dict[str, Any] = {"call": f"{abi.name}.0x{call.selector:08x}", "gas": call.gas, "rejected": call.failed}
    if entry is not None:
        row["call"] = f"{abi.name}.{entry.name}"
        types = [of for _, of in entry.parameters]
        try:
            values = unpack_plain(types, call.arguments[: 8 * sum(map(words, types))])
        except Invalid:  # words that are no values: the callee refused them
            values = []
        row["arguments"] = {
            name: readable(of, value) for (name, of), value in zip(entry.parameters, values, strict=False)
        }
    return row | {"calls": [_called(inner, traced) for inner in call.inner]}


def _frame(frame: Any) -> dict[str, Any]:
    return {
        "program": frame.program,
        "function": frame.function,
        "place": f"{frame.module.replace('.', '/')}.py:{frame.line}",
        "source": frame.source,
        "locals": frame.locals,
    }


def _last_line(traced: Traced) -> str:
    """The line that was run last; where gas ran out, if it did."""
    last = traced.host.profile.last
    sources = {program.source.abi.name: program.source for program in traced.programs.values()}
    return "" if last is None else str(sources[last[0]].places.of(last[1]))


def _profile(traced: Traced) -> list[dict[str, Any]]:
    from node.testing.interpreted import profile_rows

    rows = []
    for program in traced.programs.values():
        source = program.source
        rows += profile_rows(traced.host.profile, source.places, source.abi.name, source.files)
    return rows


def _print(result: dict[str, Any]) -> None:
    why = f": {result['reason']}" if result["reason"] else ""
    print(f"{result['transaction']}\n{result['status']}{why}, block {result['height']}, {result['gas_used']} gas")
    _print_calls(result["calls"], 1)
    if result["stack"]:
        print("stack, outermost first")
    for frame in result["stack"]:
        where = f"{frame['program']}.{frame['function']}" if frame["program"] else frame["function"]
        print(f"  {frame['place']} in {where}\n    {frame['source']}")
        for name, value in frame["locals"].items():
            print(f"      {name} = {value}")
    if result["status"] != "done" and not result["stack"]:
        print(f"  last line run: {result['last_line'] or 'none, it never reached a program'}")
    for row in result.get("profile", ()):
        print(f"{row['gas']:>12}  {row['percent']:>5} %  {row['place']:<40}  {row['source']}")
    differing = [name for name, same in result["agrees"].items() if same is False]
    if differing:
        progress(f"note: this run and the chain's receipt differ in {', '.join(differing)}")


def _print_calls(calls: list[dict[str, Any]], depth: int) -> None:
    for call in calls:
        arguments = ", ".join(f"{name}={value}" for name, value in call.get("arguments", {}).items())
        print(f"{'  ' * depth}{call['call']}({arguments})  {call['gas']} gas{'  rejected' if call['rejected'] else ''}")
        _print_calls(call["calls"], depth + 1)
