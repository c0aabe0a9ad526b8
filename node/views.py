"""
Receipts as they pass the interface: the field names of `genesis.receipt.Receipt`, bytes as they are, amounts as text.

The core's side writes them (`receipt_view`), the client's side reads them (`parse_receipt`); the gateway between turns
bytes into 0x-hexadecimal.
"""

from __future__ import annotations

import json
from typing import Any

from genesis import codec
from genesis.errors import Corrupt
from genesis.receipt import STATUSES, Receipt


def receipt_view(receipt: Receipt) -> dict[str, Any]:
    """fee: decimal text, raw 10⁻¹⁸ of the fee asset."""
    return {
        "transaction": receipt.transaction,
        "height": receipt.height,
        "position": receipt.position,
        "status": receipt.status,
        "reason": receipt.reason,
        "gas_used": receipt.gas_used,
        "fee": str(receipt.fee),
        "results": receipt.results,
        "call_reasons": receipt.call_reasons,
        "events": receipt.events,
        "created": receipt.created,
        "stage": receipt.stage,
    }


def receipt_json(encoded: bytes) -> str:
    """receipt_view as JSON text, from the bytes of `Receipt.encode`, of a receipt that has just been executed."""
    members = codec.decode_trusted(encoded)
    transaction, height, position, status, reason, gas_used, fee, results, reasons, (first, last), created = members
    shown = ",".join([f'"0x{words.hex()}"' for words in results])
    return (
        f'{{"transaction":"0x{transaction.hex()}","height":{height},"position":{position},'
        f'"status":"{STATUSES[status]}","reason":{json.dumps(reason)},"gas_used":{gas_used},'
        f'"fee":"{int.from_bytes(fee, "big")}","results":[{shown}],'
        f'"call_reasons":[{",".join(map(json.dumps, reasons))}],"events":[{first},{last}],'
        f'"created":{"null" if created is None else json.dumps(hexadecimal(created))},"stage":"executed"}}'
    )


def parse_receipt(view: dict[str, Any]) -> Receipt:
    """Inverse of receipt_view after its way through JSON. Raises Corrupt when the node sent something else."""
    try:
        return Receipt(
            transaction=parse_bytes(view["transaction"]),
            height=view["height"],
            position=view["position"],
            status=view["status"],
            reason=view["reason"],
            gas_used=view["gas_used"],
            fee=int(view["fee"]),
            results=tuple(map(parse_bytes, view["results"])),
            call_reasons=tuple(view["call_reasons"]),
            events=(view["events"][0], view["events"][1]),
            created=None if view["created"] is None else parse_bytes(view["created"]),
            stage=view["stage"],
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Corrupt(f"The node answered with no receipt ({error!r}): {str(view)[:200]}.") from error


def parse_bytes(text: str) -> bytes:
    """0x-hexadecimal as bytes. Raises ValueError."""
    if text[:2] != "0x":
        raise ValueError(f"{text[:20]!r} is no hexadecimal")
    return bytes.fromhex(text[2:])


def hexadecimal(data: bytes) -> str:
    return "0x" + data.hex()
