"""
`tenor node diff`: why a node came to another result than a quorum, from the bundle that it left.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.edge import FAILED, progress, show
from node.cli.options import Json

if TYPE_CHECKING:
    from genesis.chain import Receipt
    from genesis.spec import ChainSpec
    from node.faults.compare import Parted, Verdict
    from node.faults.fault import Fault, Spot
    from node.faults.ground import Ground
    from node.faults.naming import Difference

EVERY_BLOCKS = 100
URL_BEGINS = ("ws://", "wss://", "http://", "https://")


def diff(
    bundle: Annotated[Path, typer.Argument(help="File that the node named when it stopped signing.")],
    against: Annotated[
        str | None,
        typer.Option(help="Whose state to compare with: folder of a node, URL of a running one, or another bundle."),
    ] = None,
    chain: Annotated[str, typer.Option(help="Preset or specification of the chain.")] = "devnet",
    json: Json = False,
) -> None:
    """
    Name the first transaction, program, page and field that differ from what was certified, and the likely cause.

    The block is run again by a fresh engine. The state it starts from is the bundle's, where that is sound or one
    flipped bit away; else that of --against. Exit code 1 when no cause can be told.
    """
    from genesis.errors import Invalid
    from node.chains import load_chain
    from node.engine import on_engine_stack
    from node.faults import compare, fault

    spec, found = load_chain(chain, Path()), fault.read(bundle)
    try:
        ground = on_engine_stack(lambda: _ground(spec, found, against))
    except Invalid as error:
        if error.code not in ("beyond_repair", "not_whole", "moved_on"):
            raise
        show(_head(found) | {"cause": "memory" if found.strays else "unknown", "strays": _strays(found)}, json)
        progress(f"error: {error}")
        raise typer.Exit(FAILED) from None
    verdict = on_engine_stack(lambda: compare.compare(spec, found, ground))
    result = _head(found) | _result(verdict)
    if json:
        show(result, json)
    else:
        _print(result, compare.MEANING[verdict.cause])
    if verdict.cause is compare.Cause.BLOCK:
        raise typer.Exit(FAILED)


def _ground(spec: ChainSpec, fault: Fault, against: str | None) -> Ground:
    from node.faults import fault as files
    from node.faults import ground

    if against is None:
        return ground.of_bundle(fault)
    if against.startswith(URL_BEGINS):
        return of_node(fault, against)
    path = Path(against)
    if path.is_file():
        return ground.of_bundle(files.read(path), against)
    return ground.of_folder(_data_folder(path), spec, fault, _tell)


def _data_folder(folder: Path) -> Path:
    from node.audit import CONFIG_FILE
    from node.config import load

    config = folder / CONFIG_FILE
    return load(config).node.folder if config.exists() else folder


def of_node(fault: Fault, url: str) -> Ground:
    """The pages that changed by themselves as a running node holds them, which is looked at, not believed."""
    from node.client import Client, blocking
    from node.faults.ground import with_pages
    from node.views import parse_bytes

    async def ask(client: Client) -> dict[Spot, bytes]:
        addresses = {number: parse_bytes(one["address"]) for number, one in enumerate(await client.programs(), 1)}
        addresses[0] = bytes(19) + b"\x01"
        found = {}
        for number, page in fault.strays:
            answer = await client.proof(addresses[number], page)
            found[number, page] = parse_bytes(answer["pages"][0]["proof"][0])
        return found

    pages = blocking(url, ask)
    return with_pages(fault, pages.__getitem__, url)


def _tell(height: int, last: int) -> None:
    if height % EVERY_BLOCKS == 0 or height == last:
        progress(f"replayed {height} of {last} blocks")


def _head(fault: Fault) -> dict[str, Any]:
    return {
        "height": fault.height,
        "block": fault.block.hash(),
        "node": fault.node,
        "software": dict(fault.software),
        "came_out": fault.reason,
        "again": fault.again,
    }


def _strays(fault: Fault) -> list[dict[str, int]]:
    return [{"program": program, "page": page} for program, page in sorted(fault.strays)]


def _result(verdict: Verdict) -> dict[str, Any]:
    return {
        "cause": verdict.cause.value,
        "against": verdict.against,
        "fresh_engine": verdict.signed or "comes to what was certified",
        "first": _parted(verdict.parted) if verdict.parted else None,
        "state_before": [_difference(one) for one in verdict.before],
        "state_after": [_difference(one) for one in verdict.after],
    }


def _parted(parted: Parted) -> dict[str, Any]:
    return {
        "batch": parted.batch,
        "transaction": parted.transaction,
        "up_to": parted.last,
        "here": _outcome(parted.here),
        "certified": _outcome(parted.right),
    }


def _outcome(receipt: Receipt | None) -> dict[str, Any] | None:
    if receipt is None:
        return None
    return {"status": receipt.status, "reason": receipt.reason, "gas_used": receipt.gas_used}


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "program": one.program, "number": one.number, "page": one.page, "field": one.field, "here": one.here,
        "certified": one.right,
    }  # fmt: skip


def _print(result: dict[str, Any], meaning: str) -> None:
    from node.cli.edge import plain

    print(f"block {result['height']}: {result['came_out'] or 'no reason was kept'}")
    print(f"cause: {result['cause']}. {meaning}")
    first = result["first"]
    if first is not None and first["transaction"] is None:
        print(f"first: batch {first['batch']}, before any transaction ran")
    elif first is not None:
        print(f"first: transaction {plain(first['transaction'])}, batch {first['batch']}")
        print(f"  here {plain(first['here'])}, certified {plain(first['certified'])}")
    for title, rows in (("before", result["state_before"]), ("after", result["state_after"])):
        for row in map(plain, rows):
            print(
                f"{title} the block: {row['program']}.{row['field']} (page {row['page']}): "
                f"here {row['here']}, certified {row['certified']}"
            )
