"""
What may come in over a multiplexed connection: frames of yamux, looked at before they are believed.

py-libp2p 0.8.1 keeps whatever a peer sends beyond its window, reads on after frames it does not know, and answers any
number of pings. This checks each frame's header (version, type, flags, length) against what the peer may do:
https://github.com/hashicorp/yamux/blob/master/spec.md. Pure: bytes and times in, offences out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from p2p.conduct import Bucket
from p2p.network import Offence
from p2p.tcp_bounds import (
    BYTES_BURST,
    BYTES_PER_S,
    OPENS_BURST,
    OPENS_PER_S,
    PINGS_BURST,
    PINGS_PER_S,
    SMALL_FRAME_BYTES,
    SMALL_FRAMES_BURST,
    SMALL_FRAMES_PER_S,
)

HEADER = struct.Struct(">BBHII")
"""version, type, flags, stream, length."""
DATA, WINDOW_UPDATE, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
FLAGS_MAX = 15
WINDOW_BYTES = 256 * 1024
"""What may be sent on a new stream before the first update."""
HELD_BACK_BYTES_MAX = WINDOW_BYTES // 4
FRAME_BYTES_MAX = 64 * 1024
"""Payload of one frame: py-libp2p's own bound when it sends."""


class Hostile(Exception):
    """A peer did what no honest one does."""

    def __init__(self, offence: Offence, what: str) -> None:
        super().__init__(what)
        self.offence = offence


@dataclass(slots=True)
class Flow:
    """What a peer may still send on a stream, and who has finished it."""

    window_bytes: int = WINDOW_BYTES
    held_back_bytes: int = 0
    finished_here: bool = False
    finished_there: bool = False


class Guard:
    """
    Follows the frames of one connection in both directions.

    Args:
        incoming_parity: 1 when the peer dialled, so that its streams are odd; 0 when it was dialled.
        streams_max: that the peer may have open.
    """

    def __init__(self, incoming_parity: int, streams_max: int, now_s: float) -> None:
        self._parity = incoming_parity
        self._streams_max = streams_max
        self._flows: dict[int, Flow] = {}
        self._opened = 0
        self._body_bytes = 0
        self._bytes = Bucket(BYTES_PER_S, BYTES_BURST, now_s)
        self._small_frames = Bucket(SMALL_FRAMES_PER_S, SMALL_FRAMES_BURST, now_s)
        self._opens = Bucket(OPENS_PER_S, OPENS_BURST, now_s)
        self._pings = Bucket(PINGS_PER_S, PINGS_BURST, now_s)

    def receive(self, data: bytes, now_s: float) -> float:
        """
        Check a header or a piece of a body, as the multiplexer reads them; return how long to wait before the next.

        Raises:
            Hostile: the peer broke the protocol or flooded.
        """
        if self._body_bytes:
            self._body_bytes -= len(data)
            return 0.0
        if len(data) < HEADER.size:
            return 0.0  # the connection ended here; the multiplexer says so
        version, kind, flags, stream, length = HEADER.unpack(data)
        if version != 0 or kind > GO_AWAY or flags > FLAGS_MAX:
            raise Hostile(Offence.MALFORMED, f"frame of version {version}, type {kind}, flags {flags}")
        if kind == PING and not self._pings.has(1, now_s):
            raise Hostile(Offence.FLOOD, "pings")
        if kind in (DATA, WINDOW_UPDATE):
            self._receive_on(stream, kind, flags, length)
        if flags & SYN and kind != PING:
            return self._opens.take(1, now_s)
        if kind == DATA and length >= SMALL_FRAME_BYTES:
            return self._bytes.take(length, now_s)
        return self._small_frames.take(1, now_s)

    def send(self, frame: bytes) -> bytes:
        """
        Note what our own multiplexer sends: streams it opens and ends, windows it widens; return what to write.

        py-libp2p widens a window after each read, however small, which costs as much as the message itself. Small steps
        are held back here until they make a large one; the peer has the rest of its window meanwhile.
        """
        _, kind, flags, stream, length = HEADER.unpack_from(frame)
        if flags & SYN and kind in (DATA, WINDOW_UPDATE):
            self._flows[stream] = Flow()
        flow = self._flows.get(stream)
        if flow is None or kind not in (DATA, WINDOW_UPDATE):
            return frame
        if kind == WINDOW_UPDATE:
            flow.held_back_bytes += length
            if not flags and flow.held_back_bytes < HELD_BACK_BYTES_MAX:
                return b""
            frame = HEADER.pack(0, kind, flags, stream, flow.held_back_bytes)
            flow.window_bytes += flow.held_back_bytes
            flow.held_back_bytes = 0
        flow.finished_here = flow.finished_here or bool(flags & FIN)
        self._forget_ended(stream, flow, flags)
        return frame

    def _receive_on(self, stream: int, kind: int, flags: int, length: int) -> None:
        if flags & SYN:
            if stream in self._flows or stream % 2 != self._parity or not stream:
                raise Hostile(Offence.MALFORMED, f"stream {stream} opened twice or by the wrong side")
            if self._opened >= self._streams_max:
                raise Hostile(Offence.FLOOD, f"{self._opened} open streams")
            self._flows[stream] = Flow()
            self._opened += 1
        flow = self._flows.get(stream)
        if kind == DATA:
            # Data for a stream that this side has reset may be on its way; it is read and forgotten.
            if length > FRAME_BYTES_MAX or (flow and length > flow.window_bytes):
                raise Hostile(Offence.FLOOD, f"{length} bytes beyond the window of stream {stream}")
            self._body_bytes = length
        if flow:
            flow.window_bytes -= length if kind == DATA else 0
            flow.finished_there = flow.finished_there or bool(flags & FIN)
            self._forget_ended(stream, flow, flags)

    def _forget_ended(self, stream: int, flow: Flow, flags: int) -> None:
        if flags & RST or (flow.finished_here and flow.finished_there):
            del self._flows[stream]
            self._opened -= stream % 2 == self._parity
