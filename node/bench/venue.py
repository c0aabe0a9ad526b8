"""
The chain the engine bench trades on: the standard programs, three markets with prices, many funded accounts.

Everything is set up through transactions, as on any chain; only the bounds on gas are raised, so that the machine, not
the spec, says how much a batch and a block may hold. Transactions carry no signatures: the engine never looks at
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from execution.compiler.abi import Abi, parse_abi
from execution.compiler.abi_values import pack
from execution.executor import BatchResult, Executor, Opening, Sealed
from genesis.chain import Call, SignedTransaction, Transaction
from genesis.errors import Corrupt
from genesis.spec import Allocation, ChainSpec, Validator, genesis_address

RAW = 10**18
MIDS = (100_000, 6_000, 400)
"""Price of each market, whole units of the settlement asset."""
MARKETS = len(MIDS)
TICK, LOT = "0.5", "0.1"
CASH = 1_000_000
"""Of each account in clearing; as much again stays in the bank."""
FEE_PRICE = 1_000_000_000
DEPOSIT_BYTE = 100_000_000_000
START_MS = 1_700_000_000_000
REPORT_MS = 1_000
"""Time between two prices of a feed."""
GAS_MAX = (1 << 32) - 1
EXPIRY = (1 << 62) - 1
GAS_PER_CALL = 100_000
"""What a signer allows; an order takes less."""
BATCH_MAX = 8_192
ADMIN = bytes.fromhex("ad" * 20)
INCOME = bytes.fromhex("fe" * 20)


def bench_spec(accounts: int) -> ChainSpec:
    """Its one allocation is the admin's, who pays the accounts."""
    return ChainSpec(
        chain_id=7_357,
        admin=ADMIN,
        fee_account=INCOME,
        reporters=(ADMIN,),
        validators=(Validator(ADMIN, 1),),
        assets=("USD",),
        allocations=(Allocation(ADMIN, 0, (accounts + 1) * 3 * CASH * RAW),),
        deposit_byte=DEPOSIT_BYTE,
        gas_transaction_max=GAS_MAX,
        gas_batch_max=1 << 50,
        gas_block_max=1 << 52,
        events_batch_max=1 << 19,
    )


@dataclass(slots=True)
class Venue:
    """
    A chain and what is needed to write to it. The clock is a count: a block opens `block_time_ms` after the one before.
    """

    executor: Executor
    spec: ChainSpec
    accounts: tuple[bytes, ...]
    opening: Opening
    abis: dict[str, Abi] = field(default_factory=dict)
    _sequences: dict[bytes, int] = field(default_factory=dict)
    _signed: int = 0

    def selector(self, program: str, name: str) -> bytes:
        return self.abis[program].entry(name).selector.to_bytes(4, "little")

    def call(self, program: str, name: str, *arguments: object) -> Call:
        entry = self.abis[program].entry(name)
        return Call(genesis_address(program), entry.selector.to_bytes(4, "little"), pack(entry, arguments))

    def sign(self, account: bytes, calls: Sequence[Call]) -> SignedTransaction:
        """The account's next transaction, without signature; each call stands for itself."""
        sequence = self._sequences.get(account, 0)
        self._sequences[account] = sequence + 1
        self._signed += 1
        gas = GAS_PER_CALL * (1 + len(calls))
        chain = self.spec.chain_id
        transaction = Transaction(chain, account, 0, sequence, EXPIRY, gas, FEE_PRICE, False, tuple(calls))
        return SignedTransaction(transaction, b"", account, self._signed.to_bytes(32, "big"), b"")

    def reports(self) -> list[SignedTransaction]:
        """A price for every feed, as old as the open block."""
        calls = [
            self.call("oracle", "report", number, mid, "0.01", self.opening.time_ms) for number, mid in enumerate(MIDS)
        ]
        return [self.sign(ADMIN, calls)]

    def apply(self, batch: Sequence[SignedTransaction]) -> BatchResult:
        return self.executor.apply(self.opening, batch)

    def seal(self) -> Sealed:
        """Close the block; the next one's opening is fixed."""
        sealed = self.executor.seal()
        before = self.opening
        time_ms = before.time_ms + self.spec.block_time_ms
        self.opening = Opening(before.height + 1, time_ms, 0, bytes(32), ())
        return sealed

    def price_due(self) -> bool:
        """Whether the open block is one that begins with new prices."""
        return (self.opening.time_ms - START_MS) % REPORT_MS < self.spec.block_time_ms


def open_venue(executor: Executor, accounts: int) -> Venue:
    """Genesis, markets with prices, funded accounts."""
    spec = bench_spec(accounts)
    addresses = tuple(sha256(b"bench account %d" % number).digest()[:20] for number in range(accounts))
    venue = Venue(executor, spec, addresses, Opening(1, START_MS, 0, bytes(32), ()))
    executor.genesis(spec)
    names = {genesis_address(name): name for name in ("bank", "oracle", "clearing", "exchange", "perpetual")}
    for info in executor.programs():
        venue.abis[names[info.address]] = parse_abi(info.abi_json)
    _carry_out(venue, [venue.sign(ADMIN, tuple(_markets(venue)))])
    _carry_out(venue, venue.reports())
    _fund(venue)
    return venue


def _markets(venue: Venue) -> Iterator[Call]:
    perpetual = genesis_address("perpetual")
    for number in range(MARKETS):
        yield venue.call("oracle", "add_feed", f"FEED{number}", 30_000, 1)
        yield venue.call("oracle", "add_reporter", number, ADMIN)
        yield venue.call("perpetual", "list", number, "1", "0.01", 5_000, 60_000)
        yield venue.call("clearing", "list", perpetual, number, number)
        yield venue.call("exchange", "create_market", number, TICK, LOT, "-0.0001", "0.0005")
        yield venue.call("perpetual", "connect", number, number)


def _fund(venue: Venue) -> None:
    """Money from the admin to every account, from there by consent into clearing."""
    both = str(2 * CASH)
    transfers = [venue.call("bank", "transfer", 0, account, both) for account in venue.accounts]
    own = (
        venue.call("bank", "allow", genesis_address("clearing"), 0, both, EXPIRY),
        venue.call("clearing", "deposit", str(CASH)),
    )
    _carry_out(venue, [venue.sign(ADMIN, transfers[at : at + 256]) for at in range(0, len(transfers), 256)])
    _carry_out(venue, [venue.sign(account, own) for account in venue.accounts])


def _carry_out(venue: Venue, transactions: Sequence[SignedTransaction]) -> None:
    """Run what must succeed, in a block of its own, and one batch more for the hooks it moved."""
    for at in range(0, len(transactions), BATCH_MAX):
        for outcome in venue.apply(transactions[at : at + BATCH_MAX]).outcomes:
            reasons = [reason for reason in (outcome.reason, *outcome.call_reasons) if reason]
            if reasons:
                raise Corrupt(f"The bench's chain cannot be set up: {reasons[0]}.")
    venue.apply(())
    venue.seal()
