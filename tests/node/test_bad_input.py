"""Whatever a sender does wrong, it learns why, nothing else changes, and the node is up afterwards."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import trio

from genesis import codec
from genesis.chain import Call, DeployTransaction, OrderClass, SignedTransaction, program_address, sign
from genesis.crypto import ORDER
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.transaction import RAW_BYTES_MAX
from node import rpc_codes
from node.programs import Programs
from tests.node.running import BODY_BYTES_MAX, SPEC, UNIT, Node, now_ms, running, transaction

TRADER, OTHER = 6, 7
LIMIT = ("LIMIT", 0, False)
CANCEL_LANE = OrderClass.CANCEL.value << 30


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain")) as running_node:
        yield running_node


@pytest.fixture(autouse=True)
def is_up_afterwards(node: Node) -> Iterator[None]:
    """Blocks go on, a good transaction runs, and the pool is empty."""
    yield
    receipt = node.do(node.send, OTHER, node.programs["bank"].call("transfer", 0, development_address(TRADER), "1"))
    assert receipt.status == "done"
    node.do(node.next_block)
    assert node.do(node.client.chain_info)["mempool"]["transactions"] == 0


def rpc(node: Node, method: str, *params: Any) -> dict[str, Any]:
    return post(node, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())


def post(node: Node, body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.post(node.url, content=body, timeout=20).json()
    return answer


def submit(node: Node, raw: bytes) -> dict[str, Any]:
    return rpc(node, "tenor_sendTransaction", "0x" + raw.hex())


def standing(node: Node, key: int = TRADER) -> Any:
    """Everything of the bank (by its root), and the sender's sequence, positions and clearing account."""

    async def ask() -> Any:
        client, address = node.client, development_address(key)
        block = await node.next_block()
        account = await client.account(address)
        return block["claims_root"], account, await client.positions(address), await client.sequence(address, 0)

    return node.do(ask)


def assert_refused(node: Node, raw: bytes, code: str, number: int, *words: str) -> None:
    """Refused with this code, number and words; bank, sequence and positions as before."""
    before = standing(node)
    error = submit(node, raw)["error"]
    assert (error["data"]["code"], error["code"]) == (code, number), error
    assert all(word in error["message"] for word in words), error["message"]
    assert standing(node) == before


def transfer(node: Node, amount: str = "1") -> Call:
    return node.programs["bank"].call("transfer", 0, development_address(OTHER), amount)


def good(node: Node, **fields: Any) -> SignedTransaction:
    signed: SignedTransaction = node.do(node.signed, TRADER, transfer(node), **fields)
    return signed


# The bytes


def test_another_chains_transaction(node: Node) -> None:
    assert_refused(node, good(node, chain=1).raw, "wrong_chain", -32020, "chain 1", str(SPEC.chain_id))


def test_a_signature_that_recovers_nobody(node: Node) -> None:
    raw = good(node).raw
    assert_refused(node, raw[:-65] + b"\xff" * 64 + b"\x00", "bad_signature", -32015)


def test_a_signature_of_something_else_is_another_signers(node: Node) -> None:
    """Signed for another digest, some other address is recovered: it may not act for the account."""
    signed, other = good(node), good(node, gas=1_000_000)
    before = standing(node)
    error = submit(node, signed.raw[:-65] + other.raw[-65:])["error"]
    assert error["data"]["code"] in ("not_authorised", "sequence_gap")
    assert standing(node) == before


def test_a_high_s_signature(node: Node) -> None:
    raw = good(node).raw
    r, s, v = raw[-65:-33], int.from_bytes(raw[-33:-1], "big"), raw[-1]
    high = r + (ORDER - s).to_bytes(32, "big") + bytes((v ^ 1,))
    assert_refused(node, raw[:-65] + high, "bad_signature", -32015, "s")


def test_an_encoding_that_is_not_the_shortest(node: Node) -> None:
    raw = good(node).raw
    members = codec.decode(raw[1:], RAW_BYTES_MAX)
    assert isinstance(members, tuple)
    lane_at = 1 + len(codec.encode(members[:2]))
    assert raw[lane_at] == 0, "the lane, one byte"
    assert_refused(node, raw[:lane_at] + b"\xcc\x00" + raw[lane_at + 1 :], "non_canonical", -32011, "shortest")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "unknown_kind"),
        (b"\x02\x90", "unknown_kind"),
        (b"\x20" + b"\x91" * 40 + b"\xc0", "malformed"),
        (b"\x20\x80", "malformed"),
        (b"\x20\xdd\xff\xff\xff\xff", "malformed"),
        (b"\x20" + codec.encode((1,) * 10), "malformed"),
    ],
)
def test_bytes_that_are_no_transaction(node: Node, raw: bytes, code: str) -> None:
    error = submit(node, raw)["error"]
    assert error["data"]["code"] in (code, "too_deep")
    assert error["code"] in (rpc_codes.INVALID_CODES[code], rpc_codes.INVALID_CODES["too_deep"])


def test_a_transaction_over_the_size_limit(node: Node) -> None:
    error = submit(node, b"\x20" * (RAW_BYTES_MAX + 1))["error"]
    assert error["code"] == rpc_codes.INVALID_PARAMS and str(RAW_BYTES_MAX) in error["message"]


# The request


def test_an_oversized_body(node: Node) -> None:
    answer = httpx.post(node.url, content=b" " * (BODY_BYTES_MAX + 1), timeout=20)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == rpc_codes.TOO_LARGE
    assert str(BODY_BYTES_MAX) in answer.json()["error"]["message"]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting(node: Node, opening: bytes) -> None:
    error = post(node, opening * 20_000)["error"]
    assert error["code"] in (rpc_codes.INVALID_REQUEST, rpc_codes.PARSE_ERROR)
    assert "deep" in error["message"] or "level" in error["message"] or "nest" in error["message"]


def test_an_unknown_method(node: Node) -> None:
    error = rpc(node, "tenor_mint", 1)["error"]
    assert error["code"] == rpc_codes.METHOD_NOT_FOUND and "tenor_mint" in error["message"]


def test_a_page_that_no_program_has(node: Node) -> None:
    """Proven as absent; reading beyond a program's memory would end the process."""
    bank = "0x" + node.programs["bank"].address.hex()
    (shown,) = rpc(node, "tenor_getProof", bank, (1 << 20) - 1)["result"]["pages"]
    assert shown["proof"][0] == "0x" and len(shown["proof"]) > 1
    assert rpc(node, "tenor_getProof", "0x" + "11" * 20, 0)["error"]["data"]["code"] == "unknown_program"


def test_asking_for_what_does_not_exist(node: Node) -> None:
    assert rpc(node, "tenor_getReceipt", "0x" + "11" * 32)["error"]["code"] == -32040
    assert rpc(node, "tenor_getBlock", 10**9)["error"]["code"] == -32040
    book = rpc(node, "tenor_getBook", 77)["error"]
    assert book["data"]["code"] == "rejected" and "unknown market" in book["message"]


@pytest.mark.parametrize(
    "frame",
    [
        b"\xc1\x05hello",  # not masked
        b"\xf1\x80\x00\x00\x00\x00",  # reserved bits
        b"\x8f\x80\x00\x00\x00\x00",  # unknown opcode
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # 2⁶⁴ − 1 bytes announced
        b"\x89\xfe\x01\x00\x00\x00\x00\x00",  # control frame above 125 bytes
        b"\x81\x82\x00\x00\x00\x00\xff\xfe",  # text that is not UTF-8
    ],
)
def test_a_malformed_websocket_frame_ends_only_its_connection(node: Node, frame: bytes) -> None:
    with socket.create_connection(("127.0.0.1", node.ready.port), timeout=10) as plain:
        plain.sendall(
            b"GET /ws HTTP/1.1\r\nHost: n\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b"101" in plain.recv(4096).split(b"\r\n")[0]
        plain.sendall(frame)
        received = b""
        while data := plain.recv(4096):
            received += data
    assert received[:1] in (b"\x88", b""), "a close frame, or just the end"


def test_text_that_is_no_json_on_a_websocket(node: Node) -> None:
    error = post(node, b"\xff{")["error"]
    assert error["code"] == rpc_codes.PARSE_ERROR


# Standing


def test_a_reused_sequence(node: Node) -> None:
    signed = good(node)
    assert "result" in submit(node, signed.raw)
    used = signed.transaction.sequence
    assert_refused(node, signed.raw, "sequence_used", -32024, f"next is {used + 1}")
    assert_refused(node, good(node, sequence=used, gas=100_000).raw, "sequence_used", -32024)


def test_a_gap_in_lane_0(node: Node) -> None:
    expected = good(node).transaction.sequence
    assert_refused(node, good(node, sequence=expected + 1).raw, "sequence_gap", -32025, f"expected sequence {expected}")


def test_a_lane_with_an_unknown_class_cannot_even_be_encoded(node: Node) -> None:
    raw = good(node, lane=(1 << 31) + 5).raw
    at = raw.index(b"\xce\x80\x00\x00\x05")
    assert_refused(node, raw[:at] + b"\xce\xc0\x00\x00\x05" + raw[at + 5 :], "bad_lane", -32016, "top bits")


def test_an_expired_transaction(node: Node) -> None:
    assert_refused(node, good(node, expiry=now_ms() - 1).raw, "expired", -32021, "later expiry")


@pytest.mark.parametrize("gas", [SPEC.gas_transaction_min - 1, SPEC.gas_transaction_max + 1])
def test_gas_outside_the_chains_limits(node: Node, gas: int) -> None:
    assert_refused(node, good(node, gas=gas).raw, "gas_limit", -32022, str(SPEC.gas_transaction_min))


def test_a_fee_below_the_minimum(node: Node) -> None:
    assert_refused(node, good(node, fee=SPEC.fee_min - 1).raw, "fee_too_low", -32023, str(SPEC.fee_min))


def test_a_fee_that_the_account_cannot_pay_is_refused_and_takes_no_place_in_a_block(node: Node) -> None:
    """The kernel refuses it; the sequence stays free, and no block and no receipt knows of it."""
    signed = good(node, gas=SPEC.gas_transaction_max, fee=(1 << 63) - 1)
    first = node.do(node.client.chain_info)["height"]
    assert_refused(node, signed.raw, "fee_unpayable", -32027, "balance")
    last = node.do(node.client.chain_info)["height"]
    blocks = [node.do(node.client.block, height) for height in range(first, last + 1)]
    assert "0x" + signed.id.hex() not in [one for block in blocks for one in block["transactions"]]
    assert all(block["transaction_count"] == len(block["transactions"]) for block in blocks)
    assert rpc(node, "tenor_getReceipt", "0x" + signed.id.hex())["error"]["data"]["code"] == "not_found"
    assert "result" in submit(node, good(node).raw)


def test_what_follows_a_refused_one_in_lane_0_is_refused_too(node: Node) -> None:
    async def frame() -> Any:
        first = await node.signed(TRADER, transfer(node), gas=SPEC.gas_transaction_max, fee=(1 << 63) - 1)
        sequence = first.transaction.sequence
        rest = [transaction(TRADER, [transfer(node)], sequence=sequence + n) for n in (1, 2)]
        answers = await node.client.send_many([first, *rest])
        return answers, await node.client.sequence(development_address(TRADER)), sequence

    answers, after, sequence = node.do(frame)
    assert [answer.code for answer in answers] == ["fee_unpayable", "sequence_gap", "sequence_gap"]
    assert after == sequence
    assert node.do(node.client.send, good(node)).status == "done"


def test_a_signer_who_is_nobodys_agent(node: Node) -> None:
    signed = node.do(node.signed, OTHER, transfer(node), account=development_address(TRADER))
    assert_refused(node, signed.raw, "not_authorised", -32028, "agent")


# What a program refuses: executed, so the fee is paid, and nothing but the fee


def assert_fails(node: Node, reason: str, key: int, *calls: Call, **fields: Any) -> None:
    async def run() -> Any:
        address = development_address(key)
        before = await node.client.account(address)
        positions, book = await node.client.positions(address), await node.client.book(0)
        receipt = await node.client.send(await node.signed(key, *calls, **fields))
        after = await node.client.account(address)
        same = positions == await node.client.positions(address) and book == await node.client.book(0)
        return receipt, before, after, same

    receipt, before, after, same = node.do(run)
    assert (receipt.status, receipt.reason) == ("failed", reason)
    assert receipt.events == (receipt.events[0],) * 2 and same
    assert raw(before["balances"]["USD"]) - raw(after["balances"]["USD"]) == receipt.fee > 0
    assert {**before, "balances": 0} == {**after, "balances": 0}


def raw(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * UNIT + int(part.ljust(18, "0") or 0)


@pytest.mark.parametrize(
    ("price", "size", "reason"),
    [
        ("100.05", "1", "price is not a multiple of the tick"),
        ("100", "0.0005", "size is not a multiple of the lot"),
        ("100", "0", "size must be positive"),
        ("100", "-1", "size must be positive"),
        ("0", "1", "price must be positive"),
        ("-100", "1", "price must be positive"),
        ("100000000000000000000", "1", "price is too large"),
        ("170141183460469231731", "1", "price is too large"),
        ("100", "170141183460469231731", "size is too large"),
    ],
)
def test_an_order_that_the_market_does_not_take(node: Node, price: str, size: str, reason: str) -> None:
    assert_fails(node, reason, TRADER, node.programs["exchange"].call("place", 0, "BUY", price, size, *LIMIT))


def test_an_order_in_the_lane_of_another_class(node: Node) -> None:
    place = node.programs["exchange"].call("place", 0, "BUY", "99", "1", *LIMIT)
    assert_fails(node, "order class", TRADER, place, lane=CANCEL_LANE)


def test_an_order_beyond_the_margin(node: Node) -> None:
    place = node.programs["exchange"].call("place", 0, "BUY", "100", "1000000", *LIMIT)
    before = node.do(node.client.book, 0)
    receipt = node.do(node.send, TRADER, place)
    assert receipt.status == "failed" and "margin" in receipt.reason
    assert node.do(node.client.book, 0) == before


@pytest.mark.parametrize("amount", ["100000000", "0", "-1"])
def test_a_withdrawal_that_the_balance_does_not_bear(node: Node, amount: str) -> None:
    reason = "insufficient balance" if amount != "0" and amount != "-1" else "amount must be positive"
    assert_fails(node, reason, TRADER, node.programs["bank"].call("withdraw", 0, amount))


def test_a_report_that_is_old_or_of_the_future(node: Node) -> None:
    def told(time_ms: int) -> Call:
        return node.programs["oracle"].call("report", 0, "100", "0.01", time_ms)

    assert_fails(node, "report is stale", 2, told(now_ms() - 120_000))
    assert_fails(node, "time is ahead of the block", 2, told(now_ms() + 60_000))


def test_a_report_of_somebody_who_may_not(node: Node) -> None:
    told = node.programs["oracle"].call("report", 0, "1", "0.01", now_ms())
    assert_fails(node, "not a reporter of this feed", TRADER, told)


def test_calls_of_what_does_not_exist(node: Node) -> None:
    assert_fails(node, "unknown program", TRADER, Call(b"\x11" * 20, b"abcd", b""))
    assert_fails(node, "unknown entry", TRADER, Call(node.programs["bank"].address, b"abcd", b""))
    short = transfer(node)
    assert_fails(node, "bad argument", TRADER, Call(short.program, short.selector, short.arguments[:-8]))


# Deployments


def deployment(node: Node, source: str, name: str = "broken", **fields: Any) -> SignedTransaction:
    key = fields.pop("key", TRADER)
    values = {
        "chain": SPEC.chain_id,
        "account": development_address(key),
        "lane": 0,
        "sequence": node.do(node.client.sequence, development_address(key)),
        "expiry": now_ms() + 60_000,
        "gas": SPEC.gas_transaction_max,
        "fee": SPEC.fee_min,
        "name": name,
        "files": ((f"{name}.py", source),),
        "arguments": b"",
        "admin": b"",
    }
    return sign(DeployTransaction(**{**values, **fields}), development_key(key))


COUNTER = '''"""Counts."""

from execution.lang import Event, Program, emit, external


class Counted(Event):
    count: int


class Counter(Program):
    count: int

    def create(self) -> None:
        emit(Counted(0))

    @external
    def add(self, amount: int) -> None:
        self.count += amount
        emit(Counted(self.count))
'''


@pytest.mark.parametrize(
    ("source", "word"),
    [("class Broken(:\n", "1"), ("import os\n", "os"), (COUNTER.replace("amount: int", "amount: float"), "float")],
)
def test_source_that_does_not_compile(node: Node, source: str, word: str) -> None:
    signed = deployment(node, source)
    before = standing(node)
    error = submit(node, signed.raw)["error"]
    assert error["code"] == rpc_codes.number(error["data"]["code"]) and word in error["message"], error
    assert error["data"]["code"] == "does_not_compile"
    assert "broken.py" in error["message"]
    assert standing(node) == before


def test_a_deployment_that_cannot_pay_is_not_even_compiled(node: Node) -> None:
    cheap = deployment(node, COUNTER, "counter", gas=SPEC.gas_transaction_min)
    assert_refused(node, cheap.raw, "gas_limit", -32022, "deployment")
    dear = deployment(node, COUNTER, "counter", fee=(1 << 63) - 1)
    assert_refused(node, dear.raw, "fee_unpayable", -32027, "balance")
    nameless = deployment(node, COUNTER, files=(("a.py", COUNTER), ("b.py", COUNTER)))
    assert_refused(node, nameless.raw, "bad_bundle", rpc_codes.number("bad_bundle"), "broken.py")


def test_frames_behind_a_deployment_do_not_wait_for_the_compiler(node: Node) -> None:
    """Of its own lane they do, and run behind it; everybody else's go on at once."""
    deploy = deployment(node, COUNTER, "counter")
    behind = transaction(TRADER, [transfer(node)], sequence=deploy.transaction.sequence + 1)

    async def race() -> list[str]:
        order: list[str] = []

        async def send(name: str, signed: SignedTransaction) -> None:
            assert (await node.client.send(signed)).status == "done"
            order.append(name)

        other = await node.signed(OTHER, transfer(node))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, "deployment", deploy)
            while (await node.client.chain_info())["mempool"]["compiling"] == 0:
                await trio.sleep(0)
            nursery.start_soon(send, "behind", behind)
            nursery.start_soon(send, "other", other)
        return order

    assert node.do(race)[0] == "other"
    receipts = [node.do(node.client.receipt, signed.id) for signed in (deploy, behind)]
    places = [(receipt.height, receipt.position) for receipt in receipts]
    assert places == sorted(places) and receipts[0].created is not None


def test_a_program_speaks_from_its_first_block_on(node: Node) -> None:
    """Its events are told to subscribers, though it was nobody's when they subscribed."""

    signed = deployment(node, COUNTER, "counter")
    address = program_address(signed.signer, 0, signed.transaction.sequence)

    async def watch() -> Any:
        async with node.client.subscribe("events", program="0x" + address.hex()) as told:
            receipt = await node.client.send(signed)
            return receipt.created, (await told.receive()).result

    created, events = node.do(watch)
    assert created == address
    assert [(event["event"], event["count"]) for event in events] == [("Counted", 0)]
    programs = node.do(Programs.load, node.client)
    assert node.do(node.send, TRADER, programs[address].call("add", 5)).status == "done"


def test_what_follows_a_deployment_that_does_not_compile_is_refused(node: Node) -> None:
    bad = deployment(node, "class Broken(:\n")
    behind = transaction(TRADER, [transfer(node)], sequence=bad.transaction.sequence + 1)
    answers = node.do(node.client.send_many, [bad, behind])
    assert [isinstance(answer, Invalid) and answer.code for answer in answers] == ["does_not_compile", "sequence_gap"]
    assert node.do(node.client.send, good(node)).status == "done"
