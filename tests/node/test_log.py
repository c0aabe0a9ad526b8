"""Logs: a line people read, or an object machines read; nothing unless asked."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from node import log


@pytest.fixture(autouse=True)
def silent_afterwards() -> Iterator[None]:
    yield
    log.silence()


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    log.configure("info", log.Format.JSON, stream)
    log.logger("sequencer").info("block sealed", height=7, root=b"\x01\x02")
    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["part"], entry["height"], entry["root"], entry["level"]) == (
        "block sealed",
        "sequencer",
        7,
        "0102",
        "info",
    )
    assert entry["timestamp"].endswith("Z")


def test_human_lines_name_message_and_values() -> None:
    stream = io.StringIO()
    log.configure("info", log.Format.HUMAN, stream)
    log.logger("store").warning("slow disk", wait_ms=80)
    assert "slow disk" in stream.getvalue()
    assert "wait_ms=80" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_lower_levels_are_not_written() -> None:
    stream = io.StringIO()
    log.configure("warning", log.Format.JSON, stream)
    log.logger("store").info("quiet")
    assert stream.getvalue() == ""


def test_a_logger_made_before_configure_follows_it() -> None:
    early = log.logger("early")
    stream = io.StringIO()
    log.configure("info", log.Format.JSON, stream)
    early.info("heard")
    assert json.loads(stream.getvalue())["event"] == "heard"


def test_an_error_keeps_its_traceback() -> None:
    stream = io.StringIO()
    log.configure("info", log.Format.JSON, stream)
    try:
        raise ValueError("broken")
    except ValueError:
        log.logger("x").exception("stopped")
    assert "ValueError: broken" in json.loads(stream.getvalue())["exception"]


def test_silent_before_configure(capsys: pytest.CaptureFixture[str]) -> None:
    log.logger("x").error("unheard")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
