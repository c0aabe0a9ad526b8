"""
The standard chain in process with one market, two honest accounts in it, and hostile programs that trade or want to be
traded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from execution.compiler.abi import Abi, parse_abi
from execution.compiler.abi_values import pack, unpack_result
from execution.executor import BatchResult, Opening, Outcome, Query
from execution.vm.genesis import Plan
from execution.vm.machine import Machine
from genesis.chain import Call, Deployment, OrderClass, SignedTransaction, Transaction, unsigned
from genesis.devkeys import development_address
from genesis.presets import load_preset
from genesis.spec import GENESIS_PROGRAMS, genesis_address
from node.compiled import genesis_code
from tests.hostile import sources
from tests.hostile.town import address_of

SPEC = load_preset("devnet")
ADMIN, REPORTERS, MAKER, TAKER, EVE = 1, (2, 3, 4), 6, 7, 9
LIARS = ("value_loops", "value_rejects", "value_extreme", "value_riskless", "value_calls_back")
TRADING = ("cancel_sniper", "extreme_quoter", "foreign_payer")
PURSE = "1"


@lru_cache
def plan() -> Plan:
    return genesis_code(SPEC).plan()(SPEC)


@lru_cache
def abi_of(program: str) -> Abi:
    place = GENESIS_PROGRAMS.index(program)
    return parse_abi(plan().programs[place].code.abi_json)


class Market:
    """A chain with one market: contract 0 is the perpetual, 1 … are the liars, all on feed 0."""

    def __init__(self) -> None:
        self.machine = Machine(lambda _: plan())
        self.machine.genesis(SPEC)
        self.height, self.time_ms = 1, 1_000_000
        self._sequences: dict[tuple[int, int], int] = {}
        self._waiting = tuple(self._deployment(name) for name in (*LIARS, *TRADING))
        self.run()
        self._waiting = ()
        oracle, clearing = self.oracle, self.clearing
        reporters = [oracle("add_reporter", 0, development_address(key)) for key in REPORTERS]
        self.must(ADMIN, oracle("add_feed", "BTC-USD", 60_000, 2), *reporters)
        self.must(ADMIN, self.call("perpetual", "list", 0, "1", "0", 1_000, 10_000))
        self.must(ADMIN, clearing("list", genesis_address("perpetual"), 0, 0))
        self.must(ADMIN, self.exchange("create_market", 0, "0.1", "0.001", "0", "0"))
        for key in (MAKER, TAKER):
            allow = self.call("bank", "allow", genesis_address("clearing"), 0, "500000", 1 << 50)
            self.must(key, allow, clearing("deposit", "100000"))
        self.report("100")

    def _deployment(self, name: str) -> Deployment:
        made = sources.compiled(name)
        named = {"cancel_sniper": ("exchange", "bank", "clearing"), "extreme_quoter": ("exchange", "bank", "clearing")}
        values: tuple[Any, ...] = tuple(map(genesis_address, named.get(name, ("clearing",))))
        packed = sources.arguments(name, (*values, 0) if name in LIARS else values)
        return Deployment(
            address_of(name), bytes(32), bytes(20), name, packed, b"", "1", made.ir_hash, made.wasm, made.abi.text()
        )

    # ---- calls

    def call(self, program: str, method: str, *values: Any) -> Call:
        entry = abi_of(program).entry(method)
        return Call(genesis_address(program), entry.selector.to_bytes(4, "little"), pack(entry, values))

    def oracle(self, method: str, *values: Any) -> Call:
        return self.call("oracle", method, *values)

    def clearing(self, method: str, *values: Any) -> Call:
        return self.call("clearing", method, *values)

    def exchange(self, method: str, *values: Any) -> Call:
        return self.call("exchange", method, *values)

    def ask(self, program: str, method: str, *values: Any) -> Any:
        entry = abi_of(program).entry(method)
        query = Query(genesis_address(program), entry.selector, pack(entry, values), SPEC.gas_query_max)
        (answer,) = self.machine.query([query])
        assert not answer.reason, answer.reason
        return unpack_result(entry, answer.result)

    # ---- transactions

    def signed(self, key: int, *calls: Call, order: OrderClass = OrderClass.TRADE) -> SignedTransaction:
        lane = order.value << 30
        number = self._sequences.get((key, lane), 0)
        self._sequences[key, lane] = number + 1
        account = development_address(key)
        body = Transaction(
            SPEC.chain_id, account, lane, number, 1 << 50, SPEC.gas_transaction_max, SPEC.fee_min, True, calls
        )
        return unsigned(body, account)

    def run(self, *batch: SignedTransaction) -> BatchResult:
        return self.machine.apply(Opening(self.height, self.time_ms, 0, b"", (), self._waiting), batch)

    def do(self, key: int, *calls: Call) -> Outcome:
        return self.run(self.signed(key, *calls)).outcomes[0]

    def must(self, key: int, *calls: Call) -> Outcome:
        outcome = self.do(key, *calls)
        assert outcome.status == "done", outcome.reason
        return outcome

    def report(self, price: str) -> None:
        """A price, and batches until clearing has heard and done what it does about it."""
        self.machine.seal()
        self.height += 1
        self.time_ms += 250
        for key in REPORTERS[:2]:
            self.must(key, self.oracle("report", 0, price, "0.01", self.time_ms))
        for _ in range(12):
            self.run()

    def attack(self, name: str, *values: Any, method: str = "attack") -> Outcome:
        return self.do(EVE, sources.call(name, address_of(name), method, *values))
