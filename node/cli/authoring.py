"""
`tenor program` for an author, without a node: test, run, describe.

Gathered into `tenor program` by `app`; what they do is in `node.testing`, `node.cli.local` and `node.documentation`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genesis.errors import Invalid
from node.cli.edge import FAILED, show
from node.cli.options import Json
from node.cli.quick import check as run_check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.testing.chain import Chain

File = Annotated[Path, typer.Argument(help="The file that defines the program.")]


def check(
    file: File,
    gas: Annotated[bool, typer.Option("--gas", help="Tell the most gas that each entry can use, too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Check again at every change, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Check a program without compiling it; errors show the line."""
    run_check(file, gas, watch, json)


def abi(
    file: File,
    gas: Annotated[bool, typer.Option("--gas", help="With the most gas that each entry can use.")] = False,
    json: Json = False,
) -> None:
    """Print the canonical JSON of a program's ABI."""
    from json import loads

    from execution.compiler import compile_bundle
    from node.bundle import read_bundle

    files, main = read_bundle(file)
    text = compile_bundle(files, main).abi.text()
    if not gas:
        print(text)
        return
    from execution.compiler.bounds import bound_rows

    show({"abi": loads(text) if json else text, "gas": bound_rows(files, main)}, json)


def doc(
    file: File,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write instead of stdout.")] = None,
    json: Json = False,
) -> None:
    """Write a program's page in Markdown: entries, order classes, events, types, reasons."""
    from execution.compiler import compile_bundle
    from node.bundle import read_bundle
    from node.documentation import markdown

    files, main = read_bundle(file)
    text = markdown(compile_bundle(files, main).abi, files, main)
    if output is not None:
        output.write_text(text, encoding="utf-8")
        show({"file": output}, json)
    elif json:
        show({"markdown": text}, json)
    else:
        print(text, end="")


def test(
    path: Annotated[Path, typer.Argument(help="A test file, or a folder with tests.")] = Path(),
    engine: Annotated[str, typer.Option("--engine", help="cpython, wasm or both.")] = "both",
    select: Annotated[str, typer.Option("-k", help="Only tests whose name matches, as in pytest.")] = "",
    pdb: Annotated[bool, typer.Option("--pdb", help="Stop in the debugger where a test fails, CPython only.")] = False,
    json: Json = False,
) -> None:
    """Run tests with pytest, every one under CPython and WASM; then tell which lines of the programs ran."""
    from node.cli.testing import report_of, run_tests

    code, report = run_tests(path, "cpython" if pdb else engine, select, pdb)
    show(report_of(report), json)
    if code:
        raise typer.Exit(FAILED)


def run(
    file: File,
    calls: Annotated[list[str] | None, typer.Argument(help='Lines such as "add 5" or "bob: add 5".')] = None,
    args: Annotated[str, typer.Option("--args", help="Arguments of `create`, parted by blanks.")] = "",
    script: Annotated[Path | None, typer.Option("--script", help="File of such lines, run before CALLS.")] = None,
    engine: Annotated[str, typer.Option("--engine", help="wasm or cpython.")] = "wasm",
    market: Annotated[bool, typer.Option("--market", help="Beside the standard programs, with a market.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Tell the gas of every line.")] = False,
    break_at: Annotated[int, typer.Option("--break", min=0, help="Stop in pdb at this line of FILE.")] = 0,
    json: Json = False,
) -> None:
    """
    Run a program on a chain of its own: deploy it, do what the lines say, show results, events and state.

    A line is `[WHO:] ENTRY ARGUMENT …`, or `advance 5s`, `price 0 101.5`, `fund WHO 1000`; WHO is any name, alice
    unless said. Arguments are as for `tenor program call`. With --market, `exchange.place …` and the other standard
    programs can be called, too, and their names stand for their addresses.
    """
    from node.cli.local import Run
    from node.testing.bundles import load_path

    lines = [*_script(script), *(calls or [])]
    loaded = load_path(file)
    chain, profiled = _chain("cpython" if break_at else "profile" if profile else engine)
    if break_at:
        from node.testing.debugging import debugged

        with debugged(file, break_at):
            rows, local = _work(Run(chain, market), loaded, args, lines)
    else:
        rows, local = _work(Run(chain, market), loaded, args, lines)
    result: dict[str, Any] = {"calls": rows, "state": local.state()}
    if profiled is not None:
        result["profile"] = profiled.rows(loaded)
    _print_run(result, json)


def _script(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}; name a file of lines.", "not_found") from error
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def _chain(engine: str) -> tuple[Chain, Any]:
    """A chain on the engine named, and its profile when that is one."""
    from node.testing.chain import Chain

    match engine:
        case "cpython":
            from node.testing.cpython import CPython

            return Chain(CPython()), None
        case "wasm":
            from node.testing.wasm import Wasm

            return Chain(Wasm()), None
        case "profile":
            from node.testing.interpreted import Interpreted

            made = Interpreted()
            return Chain(made), made
        case _:
            raise Invalid(f"There is no engine {engine}; name wasm or cpython.", "unknown_engine")


def _work(local: Any, loaded: Any, args: str, lines: Sequence[str]) -> tuple[list[dict[str, Any]], Any]:
    rows = [local.deploy(loaded, args)]
    rows += [local.line(line) for line in lines]
    return rows, local


def _print_run(result: dict[str, Any], json: bool) -> None:
    from node.cli.edge import plain

    if json:
        show(result, json)
        return
    for row in result["calls"]:
        who = f"{row['sender']}: " if "sender" in row else ""
        gas = f"  ({row['gas']} gas)" if "gas" in row else ""
        came = f"rejected: {row['reason']}" if "reason" in row else plain(row["result"]) if "result" in row else "done"
        print(f"{who}{row['call']}  →  {came}{gas}")
        for event in row.get("events", ()):
            members = ", ".join(f"{name}={value}" for name, value in plain(event["members"]).items())
            print(f"    {event['event']}({members})")
    print("state")
    for name, value in plain(result["state"]).items():
        print(f"    {name} = {value}")
    for row in result.get("profile", ()):
        print(f"{row['gas']:>12}  {row['percent']:>5} %  {row['place']:<24}  {row['source']}")
