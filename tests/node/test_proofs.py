"""A node's answers about its own chain prove themselves: state and receipts, on the command line and offline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from execution.compiler.abi_values import image
from genesis.chain import Receipt, VoteKind, certify, sign_vote
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.presets import load_preset
from genesis.settling import check_certificate
from genesis.spec import genesis_address
from genesis.verify import verify_receipt, verify_state
from node.cli.proof import _by_one_of, _first_sets
from node.localnet import VALIDATORS_MAX, validator_key
from node.proofs import check_value
from node.wallet import Wallet
from tests.node.command import Ran, tenor
from tests.node.running import SPEC, Node, running

BANK = genesis_address("bank")
CHECK = (SPEC.chain_id, SPEC.stakes)
RICH, NOBODY = development_address(8), b"\x77" * 20
COUNTER = (Path(__file__).parents[1] / "tools" / "counter.py").read_text()
Json = dict[str, Any]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain")) as started:
        yield started


def held(node: Node, account: bytes) -> Json:
    """The answer about an account's balance of asset 0."""
    abi = node.programs["bank"].abi
    balances = next(of for name, of, _ in abi.fields if name == "balances")
    key = image(balances.key, (account, 0))  # type: ignore[union-attr]
    answer: Json = node.do(node.client.value_proof, BANK, "balances", key)
    return answer


def moved(node: Node, amount: str, wait: str = "certified") -> Json:
    """A transfer's receipt with its proof, once it has come to a stage; settlement out of reach leaves it certified."""
    node.do(node.settlement.set_outage, wait == "certified")
    receipt: Receipt = node.do(node.send, 6, node.programs["bank"].call("transfer", 0, RICH, amount))

    async def there() -> Any:
        view = await node.client.receipt_proof(receipt.transaction)
        return view if view["stage"] == wait else None

    view: Json = node.do(node.until, there)
    node.do(node.settlement.set_outage, False)
    return view


def test_a_balance_is_proven_by_a_few_pages(node: Node) -> None:
    view = moved(node, "1.25")
    answer = held(node, RICH)
    proven = verify_state(answer, *CHECK)
    assert proven.header.height >= view["height"] - 1 and len(proven.pages) <= 6
    abi = node.programs["bank"].abi
    place = check_value(abi, answer, proven)
    balance = int.from_bytes(proven.read(place.address, place.size), "little")
    told = node.do(node.client.account, RICH)["balances"]
    assert balance > 10**18 and place.size == 16 and told


def test_absence_is_proven_too_and_cannot_be_pretended(node: Node) -> None:
    abi = node.programs["bank"].abi
    absent = held(node, NOBODY)
    assert absent["value"]["address"] == 0
    assert check_value(abi, absent, verify_state(absent, *CHECK)).address == 0
    present = held(node, RICH)
    lied = present | {"value": present["value"] | {"address": 0, "data": "0x"}}
    with pytest.raises(Invalid, match="do not hold this"):
        check_value(abi, lied, verify_state(lied, *CHECK))
    for wrong in ({"path": absent["value"]["path"]}, {"field": "consents"}, {"path": ["0x00"]}):
        named = present | {"value": present["value"] | wrong}
        with pytest.raises(Invalid):
            check_value(abi, named, verify_state(named, *CHECK))
    fewer = present | {"pages": present["pages"][1:]}
    with pytest.raises(Invalid):
        check_value(abi, fewer, verify_state(fewer, *CHECK))


def test_a_page_is_proven_as_it_is(node: Node) -> None:
    answer = node.do(node.client.proof, BANK, 0)
    proven = verify_state(answer, *CHECK)
    assert list(proven.pages) == [0] and proven.pages[0][:5] == b"TENOR"
    kernel = node.do(node.client.proof, bytes(19) + b"\x01", 0)
    assert verify_state(kernel, *CHECK).program == bytes(19) + b"\x01"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"program": BANK.hex()}, "invalid_params"),
        ({"page": 0, "field": "balances"}, "invalid_params"),
        ({}, "invalid_params"),
        ({"field": "nothing"}, "unknown_field"),
        ({"field": "balances", "path": ["0x00"]}, "bad_path"),
        ({"field": "balances", "path": ["0xzz"]}, "bad_path"),
        ({"field": "balances", "path": ["key"]}, "bad_path"),
        ({"program": "0x" + "11" * 20, "page": 0}, "unknown_program"),
    ],
)
def test_what_cannot_be_proven_is_refused_with_its_reason(node: Node, params: Json, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        node.do(node.client.request, "tenor_getProof", **({"program": "0x" + BANK.hex()} | params))
    assert caught.value.code == code


def test_a_receipt_gathers_its_proofs_in_place(node: Node) -> None:
    certified = moved(node, "0.5")
    proven = verify_receipt(certified["proof"], *CHECK)
    assert (proven.receipt.transaction.hex(), proven.commitment) == (certified["transaction"][2:], None)
    final = moved(node, "0.5", "final")
    proven = verify_receipt(final["proof"], *CHECK)
    assert proven.commitment is not None
    assert node.do(node.settlement.standing, proven.commitment) == "final"


def test_a_transaction_that_waits_is_received_and_has_no_proof_yet(node: Node) -> None:
    """A deployment waits for the compiler."""

    async def ask() -> tuple[str, list[Any]]:
        wallet = await Wallet.open(node.client, development_key(9))
        waiting = await wallet.sign_deployment("counter", {"counter.py": COUNTER}, b"")
        seen: list[Any] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.client.send, waiting)
            while not seen or seen[-1]["stage"] == "received":
                try:
                    seen.append(await node.client.receipt_proof(waiting.id))
                    await node.client.receipt(waiting.id)
                except Unavailable as error:
                    assert "waits for a batch" in str(error)
                except Invalid as error:
                    assert error.code == "not_found"
        return "0x" + waiting.id.hex(), seen

    identity, seen = node.do(ask)
    waiting = {"transaction": identity, "stage": "received", "proof": None}
    assert seen[0] == waiting and all(view == waiting for view in seen[:-1])
    assert seen[-1]["status"] == "done" and (seen[-1]["proof"] is None) == (seen[-1]["stage"] == "executed")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    return lambda *words: tenor(capsys, *words, "--json")


def saved(folder: Path, answer: Any) -> Path:
    file = folder / "answer.json"
    file.write_text(json.dumps(answer))
    return file


def test_answers_are_checked_on_the_command_line(node: Node, run: Callable[..., Ran], tmp_path: Path) -> None:
    url = node.url.replace("http", "ws") + "/ws"
    holding = json.dumps({"account": "0x" + RICH.hex(), "asset": 0})
    asked = run("proof", "value", "bank", "balances", holding, "--url", url).result
    checked = run("proof", "check", saved(tmp_path, asked)).result
    assert (checked["proven"], checked["named"], checked["field"]) == ("state", True, "balances")
    assert float(checked["value"]) > 0
    receipt = moved(node, "0.25", "final")
    shown = run("tx", "receipt", receipt["transaction"], "--proof", "--url", url).result
    checked = run("proof", "check", saved(tmp_path, shown)).result
    assert (checked["transaction"], checked["standing"]) == (receipt["transaction"], "not asked")


def test_people_are_shown_the_value_and_the_weight_of_its_proof(
    node: Node, run: Callable[..., Ran], capsys: pytest.CaptureFixture[str]
) -> None:
    url = node.url.replace("http", "ws") + "/ws"
    words = ("proof", "value", "bank", "balances", json.dumps({"account": "dev:8", "asset": "USD"}), "--url", url)
    whole = run(*words).result
    assert whole["value"]["path"] == held(node, RICH)["value"]["path"], "accounts and assets go by their names in a key"
    shown = tenor(capsys, *words)
    lines = {name: text.strip() for name, _, text in (line.partition("  ") for line in shown.out.splitlines())}
    assert Decimal(lines["value"]) == Decimal(node.do(node.client.account, RICH)["balances"]["USD"])
    assert len(shown.out) < 2_000 < len(json.dumps(whole)) and "0" * 100 not in shown.out
    assert all(str(row["page"]) in shown.out for row in whole["pages"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "failed"}, "bad_proof"),
        ({"gas_used": 1}, "bad_proof"),
        ({"fee": "0"}, "bad_proof"),
        ({"stage": "final"}, "bad_proof"),
        ({"proof": None}, "no_proof"),
    ],
)
def test_a_receipt_shown_otherwise_than_proven_fails(
    node: Node, run: Callable[..., Ran], tmp_path: Path, change: Json, code: str
) -> None:
    ended = run("proof", "check", saved(tmp_path, moved(node, "0.125") | change))
    assert (ended.code, ended.result["code"]) == (1, code)


def test_other_validators_prove_nothing(node: Node, run: Callable[..., Ran], tmp_path: Path) -> None:
    others = tmp_path / "validators.json"
    others.write_text(json.dumps({"0x" + RICH.hex(): 5}))
    ended = run("proof", "check", saved(tmp_path, held(node, RICH)), "--validators", others)
    assert (ended.code, ended.result["code"]) == (1, "unknown_validator")


def known_of_the_devnet(keys: list[bytes]) -> None:
    """Check a certificate of these as `tenor proof check` does. Raises Invalid."""
    spec = load_preset("devnet")
    votes = [sign_vote(VoteKind.FINALISE, spec.chain_id, 1, 1, bytes(32), 0, key) for key in keys]
    _by_one_of(_first_sets("devnet", spec), lambda stakes: check_certificate(certify(votes), spec.chain_id, stakes))


@pytest.mark.parametrize("count", [1, 4, VALIDATORS_MAX])
def test_a_devnet_certifies_with_as_many_validators_as_it_has(count: int) -> None:
    known_of_the_devnet([validator_key(number) for number in range(count)])


def test_other_keys_certify_nothing_of_the_devnet_and_presets_have_the_validators_they_name() -> None:
    with pytest.raises(Invalid) as refused:
        known_of_the_devnet([development_key(7)])
    assert refused.value.code == "unknown_validator"
    assert list(_first_sets("elsewhere", SPEC)) == [SPEC.stakes]
