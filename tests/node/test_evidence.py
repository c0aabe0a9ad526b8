"""A validator that contradicts itself is proven to have done so, for good, and pays for it on the settlement chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis import crypto
from genesis.chain import Block, VoteKind
from genesis.crypto import checksum_address
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.membership import STAKE_UNIT, ValidatorSet
from genesis.presets import parse_spec, preset_text
from node.consensus import wire
from node.consensus.accusation import Accusation
from node.consensus.words import Ballot, Rules, Said, ballot_of, rules_of
from node.evidence import OF_ONE_MAX, keep_evidence, stored_evidence
from node.simulation import toy
from node.store import Store
from settlement.contract import Terms
from settlement.local import open_local
from settlement.validators import BURNT, REWARD_PPM
from tests.node.command import tenor
from tests.node.test_validators import KEYS, Town, play

TWIN, REPORTER = 3, 7
RULES = Rules(toy.CHAIN, {development_address(TWIN): 1}, 0, 8, 1_000, 4_000)


def ballot(view: int, block: bytes, rules: Rules = RULES, kind: VoteKind = VoteKind.NOTARISE) -> Ballot:
    said = Said(kind, view, view, block)
    return ballot_of(said, crypto.sign(said.digest(rules), development_key(TWIN)), rules)


def votes(view: int, kind: VoteKind = VoteKind.NOTARISE) -> Accusation:
    return Accusation.of_votes(ballot(view, b"1" * 32, kind=kind), ballot(view, b"2" * 32, kind=kind), RULES)


def proposals(view: int, *times_ms: int) -> Accusation:
    blocks = []
    for time_ms in times_ms:
        body, proposer = toy.body_of(), development_address(TWIN)
        header = toy.header_of(toy.Draft(view, proposer, time_ms, 0, 0), toy.GENESIS, body, toy.GENESIS_STATE)
        blocks.append(Block(header, body, crypto.sign(header.proposal_digest(), development_key(TWIN))))
    return Accusation.of_blocks(*blocks)


def test_votes_and_proposals_prove_what_they_are_said_to() -> None:
    for kind in (VoteKind.NOTARISE, VoteKind.FINALISE):
        votes(5, kind).check(toy.CHAIN)
        assert votes(5, kind).slashable
    two = proposals(6, 1, 2)
    two.check(toy.CHAIN)
    assert not two.slashable
    false = [
        (replace(votes(5), view=6), toy.CHAIN),
        (replace(votes(5), kind="finalise"), toy.CHAIN),
        (replace(two, validator=development_address(1)), toy.CHAIN),
        (replace(two, proof=two.proof[:-1] + bytes((two.proof[-1] ^ 1,))), toy.CHAIN),
        (proposals(6, 1, 1), toy.CHAIN),
        (votes(5), toy.CHAIN + 1),
    ]
    for accusation, chain in false:
        with pytest.raises(Invalid):
            accusation.check(chain)


def test_a_few_of_each_validator_are_kept_for_good(tmp_path: Path) -> None:
    with Store(tmp_path, bytes(32)) as store:
        assert keep_evidence(store, votes(1)) and not keep_evidence(store, votes(1))
        assert keep_evidence(store, proposals(1, 1, 2)) and keep_evidence(store, votes(1, VoteKind.FINALISE))
        kept = [keep_evidence(store, votes(view)) for view in range(2, 10)]
        assert sum(kept) == OF_ONE_MAX - 1
    with Store(tmp_path, bytes(32)) as store:
        found = stored_evidence(store)
        assert found[:2] == (votes(1), proposals(1, 1, 2)) and len(found) == OF_ONE_MAX + 2


def chain_file(folder: Path) -> Path:
    """The devnet with four validators, quick blocks, and changes of the set that take effect at once."""
    quick = "block_time_ms = 150\ncommitment_blocks = 4\nvalidators_delay_blocks = 1\n"
    more = "".join(
        f'[[validators]]\naddress = "{checksum_address(development_address(key))}"\nstake = 1\n\n' for key in KEYS[1:]
    )
    path = folder / "chain.toml"
    path.write_text(quick + preset_text("devnet").replace("[[allocations]]", more + "[[allocations]]", 1))
    return path


@pytest.mark.slow
def test_a_twin_is_found_out_and_pays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain, files = chain_file(tmp_path), tmp_path / "proofs"
    spec = parse_spec(chain.read_text())
    offender = development_address(KEYS[TWIN])
    rules = rules_of(spec, ValidatorSet(0, 0, spec.stakes))

    async def equivocate(town: Town) -> None:
        """With the key of one of them, tell another node of votes that it will contradict."""
        view = (await town.members[0].client.consensus())["view"]
        said = [Said(VoteKind.NOTARISE, view + ahead, 10_000, b"\7" * 32) for ahead in range(3, 60)]
        ballots = [ballot_of(one, crypto.sign(one.digest(rules), development_key(KEYS[TWIN])), rules) for one in said]
        twin = town.hub.join("twin")
        stream = await twin.open("v0", wire.VOTES)
        await stream.send(wire.Votes(0, 0, False, tuple(ballots)).encode())

    async def proven(town: Town) -> list[dict[str, Any]]:
        return await town.members[0].client.evidence()

    async def test(town: Town) -> None:
        await town.grown(0, 2)
        await equivocate(town)
        while not await proven(town):
            await trio.sleep(0.02)
        await town.kill(0)
        await town.start(0)
        (first, *_) = await proven(town)
        assert (first["validator"], first["kind"], first["slashable"]) == ("0x" + offender.hex(), "notarise", True)
        url = f"ws://127.0.0.1:{town.members[0].ready.port}/ws"
        ran = await trio.to_thread.run_sync(tenor, capsys, "node", "evidence", "--url", url, "--out", files, "--json")
        assert ran.code == 0 and ran.result["evidence"][0]["proof"] == first["proof"]

    play(tmp_path, test, spec)
    file = sorted(files.glob("*.evidence"))[0]
    where = ("--settlement", tmp_path / "settlement.sqlite", "--chain", chain, "--dev-key", REPORTER, "--json")
    paid = tenor(capsys, "validator", "evidence", file, *where).result
    reward = STAKE_UNIT * REWARD_PPM // 1_000_000
    assert (paid["reward"], paid["burnt"]) == (str(reward), str(STAKE_UNIT - reward))
    assert checksum_address(offender) not in [row["validator"] for row in paid["validators"]]
    assert tenor(capsys, "validator", "evidence", file, *where).result["code"] == "nothing_held"

    async def books() -> tuple[int, int]:
        async with open_local(tmp_path / "settlement.sqlite", Terms.of(spec)) as local:
            await local.audit()
            return await local.balance(development_address(REPORTER), 0), await local.balance(BURNT, 0)

    assert trio.run(books) == (reward, STAKE_UNIT - reward)
