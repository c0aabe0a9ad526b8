"""What a soak's looks at its nodes say: by the minute, and whether they level off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from devnet.soak import LOOK_S, MIB, VALIDATORS, Look, _look, held

MINUTES = 30


def looks(memory_mb: Callable[[float], float], files: int = 40) -> Iterator[Look]:
    """Of half an hour, at a core that holds so much at a minute, beside a gateway that holds 20 MB."""
    for at in range(int(MINUTES * 60 / LOOK_S)):
        at_s = at * LOOK_S
        yield Look(at_s, int(at_s // 240), round(memory_mb(at_s / 60) * MIB), 20 * MIB, files)


def site(memory_mb: Callable[[float, int], float]) -> list[list[Look]]:
    return [list(looks(lambda minute, number=number: memory_mb(minute, number))) for number in range(VALIDATORS)]  # type: ignore[misc]


def reborn(minute: float, number: int) -> float:
    """One after another starts again, one a minute, and grows from 100 to 180 MB within its four."""
    return 100 + 20 * ((minute + number) % 4)


def test_a_node_that_fills_its_caches_and_then_holds_them_is_level() -> None:
    said = held(site(lambda minute, _: 100 + min(minute, 15) * 6))
    assert said["levels_off"] is True
    (node, *_) = said["nodes"]
    assert node["memory_mb_per_minute"] == node["files_per_minute"] == 0.0
    assert (len(node["memory_mb"]), node["memory_mb"][0], node["memory_mb"][-1]) == (MINUTES, 106, 190)
    assert (node["gateway_mb"], node["files"], node["lives"]) == ([20] * MINUTES, [40] * MINUTES, 8)


def test_nodes_that_start_anew_in_turn_are_level_though_each_life_grows() -> None:
    assert held(site(reborn))["levels_off"] is True


def test_what_goes_on_growing_is_not_level_through_restarts_either() -> None:
    assert held(site(lambda minute, _: 100 + 2 * minute))["levels_off"] is False
    assert held(site(lambda minute, number: reborn(minute, number) + 2 * minute))["levels_off"] is False


def test_files_that_are_never_closed_are_not_level() -> None:
    leaking = [
        [Look(one.at_s, one.life, one.core_bytes, one.gateway_bytes, one.files + int(one.at_s // 60)) for one in ones]
        for ones in site(lambda *_: 100)
    ]
    assert held(leaking)["levels_off"] is False


def test_a_look_is_at_the_process_and_its_files() -> None:
    before = _look(0.0, 0, os.getpid())
    with Path(os.devnull).open(), Path(os.devnull).open():
        assert _look(0.0, 0, os.getpid()).files == before.files + 2
    assert before.core_bytes > MIB
