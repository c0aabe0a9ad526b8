"""What an operator sees: numbers, sentences, rules; and who is shown them."""

from __future__ import annotations

import http.client
import json
import re
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from genesis.errors import Invalid
from genesis.presets import load_preset
from node.consensus import reasons
from node.consensus.reasons import WORDS
from node.gateway.watching import FORWARDED
from node.meters import Histogram
from node.sync_meter import SyncMeter
from node.vitals import disk
from node.vitals.posting import Purse, posting_samples
from node.watch.expression import firing
from node.watch.metrics import BOUNDS_S, METRICS, exposition
from node.watch.page import status_page
from node.watch.rules import RULES, rules_text
from node.watch.samples import sample
from node.watch.words import sentences
from settlement.adapter import Poster
from tests.node.command import tenor
from tests.node.stage import StubCore

RUNBOOK = Path(__file__).parents[2] / "node" / "RUNBOOK.md"
CONSENSUS: dict[str, Any] = {
    "validator": "0xaa", "votes": True, "why": "", "remedy": "", "view": 7, "leader": "0xaa", "waits_for": "votes",
    "failed_views": 0, "certified_height": 6, "validators": [{"address": "0xaa", "stake": 1, "connected": True}],
}  # fmt: skip
AGES = [
    sample("tenor_oracle_timestamp_seconds", 90, feed="BTC"),
    sample("tenor_oracle_timestamp_seconds", 99, feed="ETH"),
    sample("tenor_oracle_age_max_seconds", 5, feed="BTC"),
    sample("tenor_oracle_age_max_seconds", 5, feed="ETH"),
]


# Expressions


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("time() - tenor_oracle_timestamp_seconds > tenor_oracle_age_max_seconds", [{"feed": "BTC"}]),
        ("time() - tenor_oracle_timestamp_seconds > 2 * tenor_oracle_age_max_seconds", []),
        ('tenor_oracle_age_max_seconds{feed="ETH"} == 5', [{"feed": "ETH"}]),
        ('tenor_oracle_age_max_seconds{feed!="ETH"} <= 5', [{"feed": "BTC"}]),
        ('tenor_oracle_age_max_seconds{feed="ETH",other=""} >= (1 + 2) * 2 - 1', [{"feed": "ETH"}]),
        ("tenor_oracle_timestamp_seconds / tenor_oracle_age_max_seconds < 19", [{"feed": "BTC"}]),
        ("tenor_height != 3", []),
    ],
)
def test_an_expression_is_true_of_what_it_says(expression: str, found: list[dict[str, str]]) -> None:
    assert firing(expression, AGES, 100.0) == found


@pytest.mark.parametrize("expression", ["a >", "a > 1 2", "rate(a[5m]) > 1", "a{b>1} > 1", "1 > 2", ") > 1", "a & b"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(Invalid) as refused:
        firing(expression, AGES, 0.0)
    assert refused.value.code == "bad_expression"


# Rules


def test_every_rule_names_metrics_that_there_are_and_has_its_page_in_the_runbook() -> None:
    for rule in RULES:
        assert firing(rule.expression, [], 0.0) == []
        names = set(re.findall(r"\btenor_\w+", rule.expression))
        assert names <= METRICS.keys() and (names or rule.name == "TenorDown")
    sections = re.findall(r"^## (Tenor\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sections == [rule.name for rule in RULES]
    for text in re.split(r"^## Tenor\w+$", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]:
        assert all(word in text for word in ("* **You see**", "* **It means**", "* **Do**"))


def test_the_runbook_names_every_reason_for_not_voting_and_its_table_is_one() -> None:
    text = RUNBOOK.read_text()
    section = text.partition("## TenorNotVoting\n")[2].partition("\n## ")[0]
    assert {word for word in WORDS if f"`{word}`" in section} == set(WORDS) - {"follows"}
    table = text.partition("| you see |")[2].strip().splitlines()
    assert all(line.startswith("|") for line in table[1:])


def test_the_command_writes_the_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tenor(capsys, "node", "alerts", tmp_path / "no folder" / "rules.yml", "--json")
    assert (nowhere.code, nowhere.result["code"]) == (1, "bad_file")
    file = tmp_path / "tenor.rules.yml"
    assert tenor(capsys, "node", "alerts", file, "--job", "chain", "--json").result["alerts"][0] == "TenorDown"
    text = file.read_text()
    assert text == rules_text("chain")
    assert [json.loads(line.partition(": ")[2]) for line in text.splitlines() if " expr: " in line] == [
        'up{job="chain"} == 0', *(rule.expression for rule in RULES[1:])
    ]  # fmt: skip


# Numbers


def test_money_for_posting_lasts_for_as_many_whole_fees_as_there_are() -> None:
    spec = load_preset("devnet")
    found = Purse(Poster(b"\1" * 20, 3 * 7 + 6), 7)
    assert found.runway_s(spec) * 1_000 == 3 * spec.commitment_blocks * spec.block_time_ms
    assert {name for name, _, _ in posting_samples(found, spec)} <= METRICS.keys()
    assert not list(posting_samples(None, spec))


def test_prometheus_reads_back_every_kind_of_metric() -> None:
    histogram = Histogram()
    for value_s in (BOUNDS_S[0], BOUNDS_S[-1] + 1, BOUNDS_S[-1]):
        histogram.observe(value_s)
    samples = [
        sample("tenor_height", 7, stage="final"),
        sample("tenor_votes_total", 3),
        sample("tenor_disk_days_left", inf),
        sample("tenor_sync_seconds", histogram.told()),
    ]
    text = exposition(samples)
    read = {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }
    assert read["tenor_height", ("stage", "final")] == 7
    assert (read["tenor_votes_total",], read["tenor_disk_days_left",]) == (3, inf)
    assert read["tenor_sync_seconds_bucket", ("le", str(BOUNDS_S[0]))] == 1
    assert read["tenor_sync_seconds_bucket", ("le", str(BOUNDS_S[-1]))] == 2
    assert read["tenor_sync_seconds_count",] == read["tenor_sync_seconds_bucket", ("le", "+Inf")] == 3


def test_a_metric_that_is_not_in_the_table_is_a_fault() -> None:
    with pytest.raises(KeyError):
        exposition([sample("tenor_unheard_of", 1)])


@pytest.mark.parametrize("name", METRICS)
def test_names_follow_the_conventions(name: str) -> None:
    kind, text = METRICS[name]
    assert re.fullmatch(r"tenor_[a-z0-9_]+", name) and text.endswith(".")
    assert name.endswith("_total") == (kind == "counter")


def test_the_disk_lasts_as_long_as_the_folder_grows() -> None:
    hourly = [(3600.0 * hour, hour << 20) for hour in range(24)]
    assert disk.days_left(hourly, 240 << 20) == 10
    assert disk.days_left(hourly[: disk.SAMPLES_MIN - 1], 240 << 20) == inf, "too little is known"
    assert disk.days_left([(at, 5) for at, _ in hourly], 240 << 20) == inf, "it does not grow"


# Sentences


def test_the_page_says_why_a_node_does_not_vote_and_what_to_do() -> None:
    why = reasons.cut_off(1, 3)
    told = {**CONSENSUS, "why": why.why, "remedy": why.remedy}
    page = status_page(told, [sample("tenor_not_voting", 1, reason="cut_off")], 0.0)
    assert "This node does not vote: validators with 1 of the stake are connected" in page
    assert "What to do: Look at network and firewall" in page and "TenorNotVoting (reason cut_off)" in page
    assert [text for text in sentences(told) if text not in page] == []


def test_a_burdened_node_says_so() -> None:
    assert "It leaves leading to others: its disk is slow." in sentences({**CONSENSUS, "burden": "its disk is slow"})


def test_nobody_is_said_to_lead_where_nobody_has_led_yet() -> None:
    told = {
        **CONSENSUS,
        "validator": None,
        "leader": None,
        "certified_height": 0,
        "waits_for": "the next certified block",
    }
    assert sentences(told)[-1] == "Block 0 is certified; this node waits for the next certified block."


@pytest.mark.parametrize(
    ("phase", "said", "stands"),
    [
        ("snapshot", "It takes a snapshot: 3 of 40 pieces are here, 1.5 MiB/s from 2 nodes; 1 lied.", False),
        ("blocks", "It runs the blocks it lacks, from 6 to 900 at least, 1.5 MiB/s from 2 nodes; 1 lied.", True),
        ("replays", "It runs its own blocks again.", False),
        ("level", None, True),
    ],
)
def test_a_node_says_how_it_comes_level(phase: str, said: str | None, stands: bool) -> None:
    sync = SyncMeter(target=900, pieces=3, pieces_total=40, peers=2, lies=1).view(6, False)
    told = sentences({**CONSENSUS, "sync": {**sync, "phase": phase, "bytes_per_s": 3 << 19}})
    assert [text for text in told if text.startswith("It ")] == ([] if said is None else [said])
    assert any("is certified" in text for text in told) is stands


def test_what_a_registered_key_waits_for_is_told() -> None:
    assert "Registered, waiting to enter: a signer." in sentences({**CONSENSUS, "entering": "a signer"})
    assert not [text for text in sentences({**CONSENSUS, "entering": ""}) if "waiting to enter" in text]


def test_the_rate_is_that_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    meter = SyncMeter()
    for _ in range(100):
        now_s += 0.5
        meter.came(500_000)
    assert meter.rate() == pytest.approx(1_000_000, rel=0.1)
    now_s += 30
    assert meter.rate() < 10_000
    assert meter.received == 50_000_000


def test_the_page_needs_nothing_from_elsewhere_and_trusts_no_text() -> None:
    page = status_page({**CONSENSUS, "why": "<script>"}, [sample("tenor_leader", 1, validator="<b>")], 0.0)
    assert "<script" not in page and "<b>" not in page and "src=" not in page and "href=" not in page


def test_a_node_that_votes_has_nothing_that_needs_attention() -> None:
    page = status_page(CONSENSUS, AGES, 95.0)
    assert "<h1>This node votes.</h1>" in page and "Nothing needs attention." in page
    assert "0xaa leads" not in page and "this node leads" in page


# Who is shown them


def asked(core: StubCore, path: str, **headers: str) -> tuple[int, str]:
    place = urlsplit(core.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_gateway_whose_core_is_silent_says_so(core: StubCore) -> None:
    """The core of these tests knows no such question."""
    status, text = asked(core, "/metrics")
    assert status == 200 and "tenor_core_up 0.0" in text.splitlines()
    assert "The core does not answer" in asked(core, "/status")[1]


@pytest.mark.parametrize("header", FORWARDED)
def test_what_came_through_a_proxy_is_shown_nothing(core: StubCore, header: str) -> None:
    assert asked(core, "/metrics", **{header: "203.0.113.9"})[0] == 404
    assert asked(core, "/status", **{header: "203.0.113.9"})[0] == 404


def test_no_client_can_ask_the_gateways_own_question(core: StubCore) -> None:
    place = urlsplit(core.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0)
    connection.request("POST", "/", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "watch"}))
    assert json.loads(connection.getresponse().read())["error"]["data"]["code"] == "method_not_found"
    connection.close()
