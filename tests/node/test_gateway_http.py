"""JSON-RPC over HTTP: right answers, right numbers, and a gateway that stays up whatever it is sent."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.crypto import ORDER
from tests.node.stage import REFUSED_SEQUENCE, StubCore, signed

Json = dict[str, Any]


def post(core: StubCore, body: bytes | str) -> Any:
    return httpx.post(core.url, content=body, headers={"content-type": "application/json"}).json()


def ask(core: StubCore, method: str, params: object = None, **more: Any) -> Json:
    request: Json = {"jsonrpc": "2.0", "id": 1, "method": method, **more}
    if params is not None:
        request["params"] = params
    answer: Json = post(core, json.dumps(request))
    assert answer["jsonrpc"] == "2.0"
    assert answer["id"] == 1
    return answer


def error_of(answer: Json) -> tuple[int, str]:
    return answer["error"]["code"], answer["error"]["data"]["code"]


def text(raw: bytes) -> str:
    return "0x" + raw.hex()


def test_a_read_reaches_the_core_with_its_defaults(core: StubCore) -> None:
    assert ask(core, "tenor_getBook", [5])["result"] == {"method": "tenor_getBook", "market": 5, "depth": 20}
    assert ask(core, "tenor_getBook", {"depth": 3, "market": 5})["result"]["depth"] == 3
    assert ask(core, "tenor_chainInfo")["result"] == {"method": "tenor_chainInfo"}


def test_bytes_pass_both_ways_as_hexadecimal(core: StubCore) -> None:
    address = "0x" + "Ab" * 20
    assert ask(core, "tenor_getAccount", [address])["result"]["account"] == address.lower()


def test_a_transaction_is_answered_with_its_receipt(core: StubCore) -> None:
    one = signed(1)
    answer = ask(core, "tenor_sendTransaction", [text(one.raw)])["result"]
    assert answer["transaction"] == text(one.id)
    assert (answer["status"], answer["stage"], answer["fee"]) == ("done", "executed", str(10**30))
    assert core.arrived[-1] == (one.raw, one.signer, one.id)


def test_received_answers_with_the_id_only(core: StubCore) -> None:
    one = signed(2)
    assert ask(core, "tenor_sendTransaction", {"transaction": text(one.raw), "wait": "received"})["result"] == {
        "transaction": text(one.id)
    }


def test_the_cores_refusal_keeps_word_and_number(core: StubCore) -> None:
    answer = ask(core, "tenor_sendTransaction", [text(signed(REFUSED_SEQUENCE).raw)])
    assert error_of(answer) == (-32025, "sequence_gap")
    assert answer["error"]["message"] == "Lane 0 leaves no gap."
    assert error_of(ask(core, "tenor_getReceipt", ["0x" + "00" * 32])) == (-32040, "not_found")
    assert error_of(ask(core, "tenor_getBlock", [1])) == (-32050, "unavailable")


def test_a_bug_in_the_core_is_an_internal_error_and_no_more(core: StubCore) -> None:
    assert error_of(ask(core, "tenor_getBook", [404])) == (-32603, "internal")
    assert "result" in ask(core, "tenor_getBook", [1])


def high_s(raw: bytes) -> bytes:
    s = ORDER - int.from_bytes(raw[-33:-1], "big")
    return raw[:-33] + s.to_bytes(32, "big") + bytes([1 - raw[-1]])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "unknown_kind"),
        (b"\x01" + signed(1).raw[1:], "unknown_kind"),
        (signed(1).raw[:-1], "malformed"),
        (signed(1).raw + b"\x00", "malformed"),
        (signed(1).raw[:1] + b"\xdc\x00\x0a" + signed(1).raw[2:], "non_canonical"),
        (high_s(signed(1).raw), "bad_signature"),
        (signed(1).raw[:-1] + b"\x02", "bad_signature"),
        (signed(1).raw[:-65] + bytes(65), "bad_signature"),
        (b"\x20" + b"\x91" * 500, "too_deep"),
    ],
)
def test_bad_bytes_of_a_transaction_are_refused_before_the_core(core: StubCore, raw: bytes, code: str) -> None:
    before = len(core.arrived)
    number, word = error_of(ask(core, "tenor_sendTransaction", [text(raw)]))
    assert -32016 <= number <= -32010
    assert word == code or (code == "too_deep" and word == "malformed")
    assert len(core.arrived) == before


def test_a_frame_keeps_order_and_answers_in_place(core: StubCore) -> None:
    frame = [text(signed(n).raw) for n in (11, 12, REFUSED_SEQUENCE, 14)]
    frame.insert(2, "0x20")
    del core.arrived[:]
    answers = ask(core, "tenor_sendTransactions", [frame])["result"]
    assert [a.get("status") or a["error"]["data"]["code"] for a in answers] == [
        "done",
        "done",
        "malformed",
        "sequence_gap",
        "done",
    ]
    assert [raw for raw, _, _ in core.arrived] == [signed(n).raw for n in (11, 12, REFUSED_SEQUENCE, 14)]


def test_a_batch_of_sends_goes_to_the_core_in_order(core: StubCore) -> None:
    requests = [
        {"jsonrpc": "2.0", "id": n, "method": "tenor_sendTransaction", "params": [text(signed(n).raw)]}
        for n in range(20, 70)
    ]
    del core.arrived[:]
    answers = post(core, json.dumps(requests))
    assert [a["id"] for a in answers] == list(range(20, 70))
    assert [a["result"]["transaction"] for a in answers] == [text(signed(n).id) for n in range(20, 70)]
    assert [raw for raw, _, _ in core.arrived] == [signed(n).raw for n in range(20, 70)]


def test_a_mixed_batch_answers_each_in_place(core: StubCore) -> None:
    requests: list[Any] = [
        {"jsonrpc": "2.0", "id": "a", "method": "tenor_chainInfo"},
        7,
        {"jsonrpc": "2.0", "id": 2, "method": "tenor_sendTransaction", "params": [text(signed(1).raw)]},
        {"jsonrpc": "2.0", "method": "tenor_chainInfo"},
        {"jsonrpc": "2.0", "id": 3, "method": "tenor_sendTransaction", "params": [text(signed(2).raw), "received"]},
        {"jsonrpc": "2.0", "id": 4, "method": "tenor_sendTransaction", "params": []},
        {"jsonrpc": "2.0", "id": None, "method": "nothing"},
    ]
    answers = post(core, json.dumps(requests))
    assert [a["id"] for a in answers] == ["a", None, 2, 3, 4, None]
    assert [a.get("error", {}).get("code") for a in answers] == [None, -32600, None, None, -32602, -32601]
    assert list(answers[3]["result"]) == ["transaction"]


def test_notifications_are_done_but_not_answered(core: StubCore) -> None:
    del core.arrived[:]
    body = {"jsonrpc": "2.0", "method": "tenor_sendTransaction", "params": [text(signed(3).raw)]}
    assert httpx.post(core.url, json=body).status_code == 204
    assert httpx.post(core.url, json=[body]).status_code == 204
    assert len(core.arrived) == 2


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("", -32700),
        ("{", -32700),
        ("\ud800".encode("utf-8", "surrogatepass"), -32700),
        ('{"jsonrpc":"2.0","id":1,"method":"tenor_chainInfo","params":[NaN]}', -32700),
        ('{"jsonrpc":"2.0","id":1,"method":"tenor_getBook","params":[' + "9" * 5_000 + "]}", -32700),
        ("[" * 30_000, -32600),
        ('{"a":' * 9 + "1" + "}" * 9, -32600),
        ("[]", -32600),
        ("7", -32600),
        ("null", -32600),
        ("[1]", -32600),
        ("[" + ",".join(["1"] * 61) + "]", -32600),
        ('{"id":1,"method":"tenor_chainInfo"}', -32600),
        ('{"jsonrpc":"2.0","id":1}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        ('{"jsonrpc":"2.0","id":{},"method":"tenor_chainInfo"}', -32600),
        ('{"jsonrpc":"2.0","id":true,"method":"tenor_chainInfo"}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"tenor_chainInfo","params":7}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"tenor_nothing"}', -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"__class__"}', -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"tenor_subscribe","params":["blocks"]}', -32601),
    ],
)
def test_malformed_requests_have_their_numbers(core: StubCore, body: bytes | str, number: int) -> None:
    answer = post(core, body)
    answer = answer[0] if isinstance(answer, list) else answer
    assert answer["error"]["code"] == number
    assert len(answer["error"]["message"]) < 300


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tenor_getReceipt", []),
        ("tenor_getReceipt", ["0x" + "00" * 31]),
        ("tenor_getReceipt", ["00" * 33]),
        ("tenor_getReceipt", ["0x" + "0g" * 32]),
        ("tenor_getReceipt", ["0x" + " 0" * 32]),
        ("tenor_getReceipt", [7]),
        ("tenor_getReceipt", ["0x" + "00" * 32, 1]),
        ("tenor_getReceipt", {"hash": "0x" + "00" * 32}),
        ("tenor_getBlock", [-1]),
        ("tenor_getBlock", ["newest"]),
        ("tenor_getBlock", [True]),
        ("tenor_getBlock", [1.5]),
        ("tenor_getBook", [1, 0]),
        ("tenor_getBook", [1, 101]),
        ("tenor_getBook", [1 << 63]),
        ("tenor_getProof", ["0x" + "00" * 20, 1 << 20]),
        ("tenor_call", ["0x" + "00" * 20, "0x0102030405"]),
        ("tenor_call", ["0x" + "00" * 20, "0x01020304", "0x" + "00" * 4097]),
        ("tenor_simulate", ["0x" + "00" * 20, []]),
        ("tenor_simulate", ["0x" + "00" * 20, [{}]]),
        ("tenor_simulate", {"account": "0x" + "00" * 20, "calls": [["0x" + "00" * 20, "0x01020304"]], "atomic": 1}),
        ("tenor_sendTransaction", ["0x20", "never"]),
        ("tenor_sendTransactions", [[]]),
        ("tenor_sendTransactions", ["0x20"]),
        ("tenor_sendTransactions", [["0x20"] * 61]),
    ],
)
def test_parameters_of_the_wrong_shape_are_named(core: StubCore, method: str, params: object) -> None:
    assert error_of(ask(core, method, params)) == (-32602, "invalid_params")


def test_an_oversized_body_is_refused_declared_or_not(core: StubCore) -> None:
    big = b" " * (65 << 10)
    declared = httpx.post(core.url, content=big)
    chunked = httpx.post(core.url, content=iter([big[:40_000], big[:40_000]]))
    for answer in (declared, chunked):
        assert answer.status_code == 413
        assert error_of(answer.json()) == (-32005, "request_too_large")


def test_other_paths_and_verbs(core: StubCore) -> None:
    assert httpx.get(core.url).status_code == 405
    assert httpx.post(core.url + "/nothing").status_code == 404
    health = httpx.get(core.url + "/health")
    assert (health.status_code, health.json()) == (200, {"core": True})


def test_bytes_that_are_no_http_only_cost_their_connection(core: StubCore) -> None:
    host, port = core.url.removeprefix("http://").split(":")
    for garbage in (b"\x00" * 500 + b"\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"\x16\x03\x01" * 99):
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert "result" in ask(core, "tenor_chainInfo")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
methods = st.sampled_from(["tenor_call", "tenor_simulate", "tenor_sendTransactions", "tenor_getBook", "x"])


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.binary(max_size=60)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda method, params: json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(),
        methods,
        json_values,
    )
)
def test_whatever_is_sent_is_answered_in_json_rpc(core: StubCore, body: bytes) -> None:
    answer = httpx.post(core.url, content=body)
    assert answer.status_code in (200, 204)
    if answer.status_code == 200:
        answers = answer.json()
        for one in answers if isinstance(answers, list) else [answers]:
            assert one["jsonrpc"] == "2.0"
            assert ("error" in one) != ("result" in one)
