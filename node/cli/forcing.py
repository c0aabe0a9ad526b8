"""
A transaction on the way that no leader can close: through the inbox of the settlement chain.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from genesis.chain import Receipt
from genesis.errors import Invalid, Unavailable
from node.chains import load_chain
from node.cli.arguments import parse_arguments
from node.cli.crossing import NONCE_BYTES, existing
from node.cli.edge import progress
from node.cli.sending import POLL_SECONDS, Sender, wait_for
from node.cli.session import Session
from node.client import Client
from settlement.actions import Force
from settlement.contract import Terms
from settlement.local import open_local


def force(sender: Sender, file: Path, chain: str, program: str, entry: str, texts: Sequence[str]) -> None:
    """Sign a call, queue it, wait until a block has taken it in and it has come to the stage asked for."""
    terms = Terms.of(load_chain(chain, Path()))

    async def work(session: Session) -> dict[str, Any]:
        target = session.programs[program]
        call = target.call(entry, *parse_arguments(target.entry(entry), texts, session.names))
        signed = await session.wallet.sign([call])
        async with open_local(existing(file), terms) as settlement:
            await settlement.act(signed.signer, Force(signed.raw), secrets.token_bytes(NONCE_BYTES))
        progress(f"queued on the settlement chain as 0x{signed.id.hex()}")
        receipt = await _taken_in(session.client, signed.id, sender.timeout)
        receipt = await wait_for(session.client, receipt, sender.wait, sender.timeout)
        return await session.receipt_view(receipt, [call])

    sender.finish(sender.run(work), "transaction")


async def _taken_in(client: Client, transaction: bytes, seconds: float) -> Receipt:
    with trio.move_on_after(seconds):
        while True:
            try:
                return await client.receipt(transaction)
            except Invalid as error:
                if error.code != "not_found":
                    raise
            await trio.sleep(POLL_SECONDS)
    raise Unavailable(
        f"No block has run it within {seconds:g} s. What cannot run (its sequence was used, it has expired) is taken "
        f"in without effect; ask with `tenor tx receipt 0x{transaction.hex()}`."
    )
