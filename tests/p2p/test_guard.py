"""What the guard lets through, and that nothing from outside makes it, or any reader of bytes, fail otherwise."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.errors import Invalid, Unavailable
from p2p.network import Offence
from p2p.tcp_bounds import BYTES_BURST, OPENS_BURST, PINGS_BURST, SMALL_FRAMES_BURST
from p2p.tcp_guard import (
    ACK,
    DATA,
    FIN,
    FRAME_BYTES_MAX,
    HEADER,
    PING,
    RST,
    SYN,
    WINDOW_BYTES,
    WINDOW_UPDATE,
    Guard,
    Hostile,
)
from p2p.tcp_publications import read_publication
from p2p.tcp_requests import _read_answer, _read_question


def header(kind: int, flags: int, stream: int, length: int = 0) -> bytes:
    return HEADER.pack(0, kind, flags, stream, length)


def dialled(streams_max: int = 10) -> Guard:
    return Guard(incoming_parity=1, streams_max=streams_max, now_s=0)


def receive_data(guard: Guard, stream: int, length: int, now_s: float = 0) -> float:
    wait_s = guard.receive(header(DATA, 0, stream, length), now_s)
    guard.receive(bytes(length), now_s)
    return wait_s


def test_a_window_is_what_was_given_and_no_byte_more() -> None:
    guard = dialled()
    guard.receive(header(WINDOW_UPDATE, SYN, 1), 0)
    for _ in range(WINDOW_BYTES // FRAME_BYTES_MAX):
        receive_data(guard, 1, FRAME_BYTES_MAX)
    update = header(WINDOW_UPDATE, 0, 1, FRAME_BYTES_MAX)
    assert guard.send(update) == update
    receive_data(guard, 1, FRAME_BYTES_MAX)
    with pytest.raises(Hostile, match="window") as caught:
        receive_data(guard, 1, 1)
    assert caught.value.offence is Offence.FLOOD


def test_a_window_widens_in_large_steps_that_add_up() -> None:
    guard = dialled()
    guard.receive(header(WINDOW_UPDATE, SYN, 1), 0)
    acknowledgement = header(WINDOW_UPDATE, ACK, 1)
    assert guard.send(acknowledgement) == acknowledgement
    sent = [guard.send(header(WINDOW_UPDATE, 0, 1, 1_000)) for _ in range(1_000)]
    steps = [HEADER.unpack(frame)[4] for frame in sent if frame]
    assert len(steps) == 1_000_000 // 66_000
    assert set(steps) == {66_000}
    data = header(DATA, 0, 1, 3) + b"abc"
    assert guard.send(data) == data


def test_a_body_is_not_taken_for_a_header() -> None:
    guard = dialled()
    guard.receive(header(DATA, SYN, 1, 24), 0)
    guard.receive(b"\xff" * 20, 0)
    guard.receive(b"\xff" * 4, 0)
    with pytest.raises(Hostile):
        guard.receive(b"\xff" * 12, 0)


@pytest.mark.parametrize("end", ["reset there", "reset here", "finished there, then here", "finished here, then there"])
def test_an_ended_stream_makes_room_for_another(end: str) -> None:
    guard = dialled(streams_max=1)
    for stream in (1, 3, 5):
        guard.receive(header(WINDOW_UPDATE, SYN, stream), 0)
        flag = RST if "reset" in end else FIN
        for side in end.split(", "):
            if "there" in side:
                guard.receive(header(WINDOW_UPDATE, flag, stream), 0)
            else:
                guard.send(header(WINDOW_UPDATE, flag, stream))
        # What was on its way to a stream that was reset here is no offence.
        receive_data(guard, stream, 1_000)
    guard.receive(header(WINDOW_UPDATE, SYN, 7), 0)
    with pytest.raises(Hostile, match="1 open streams"):
        guard.receive(header(WINDOW_UPDATE, SYN, 9), 0)


def test_streams_opened_here_do_not_count_for_the_peer() -> None:
    guard = dialled(streams_max=0)
    for stream in range(2, 200, 2):
        guard.send(header(WINDOW_UPDATE, SYN, stream))
        receive_data(guard, stream, FRAME_BYTES_MAX)


def test_pings_have_a_rate_that_honest_peers_do_not_reach() -> None:
    guard = dialled()
    for number in range(int(PINGS_BURST)):
        guard.receive(header(PING, SYN, 0, number), 0)
    with pytest.raises(Hostile, match="pings"):
        guard.receive(header(PING, SYN, 0, 99), 0)
    guard.receive(header(PING, SYN, 0, 100), 10)


def test_opens_small_frames_and_bytes_have_rates_at_which_they_are_read() -> None:
    guard, waits = dialled(), []
    for stream in range(1, 2 * int(OPENS_BURST) + 21, 2):
        waits.append(guard.receive(header(WINDOW_UPDATE, SYN, stream), 0))
        guard.receive(header(WINDOW_UPDATE, RST, stream), 0)
    assert waits[0] == 0 < waits[-1] < 1
    guard = dialled()
    guard.receive(header(WINDOW_UPDATE, SYN, 1), 0)
    waits = [receive_data(guard, 1, 1) for _ in range(int(SMALL_FRAMES_BURST) + 10)]
    assert waits[0] == 0 < waits[-1] < 1
    frames = int(BYTES_BURST) // FRAME_BYTES_MAX
    waits = [receive_data(guard, 99, FRAME_BYTES_MAX) for _ in range(frames + 10)]
    assert waits[frames - 1] == 0 < waits[-1] < 1


@given(st.lists(st.binary(min_size=12, max_size=12) | st.builds(header, *[st.integers(0, 15)] * 3, st.integers(0, 99))))
def test_no_frame_does_more_than_offend(frames: list[bytes]) -> None:
    guard = dialled()
    with suppress(Hostile):
        for data in frames:
            guard.receive(data, 0)


@given(
    st.binary(max_size=400) | st.binary(max_size=300).map(lambda tail: b"\x01" + bytes(8) + b"\x02ab\x01t\x00" + tail)
)
def test_no_bytes_do_more_than_offend_their_reader(data: bytes) -> None:
    with suppress(Hostile):
        read_publication(data)
    with suppress(Hostile):
        _read_question(data)
    with suppress(Hostile, Invalid, Unavailable):
        _read_answer(data)
