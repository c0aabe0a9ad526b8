"""Every bound of the network over TCP beyond those of the door in `network`."""

from __future__ import annotations

from p2p.network import MESSAGE_BYTES_MAX

MIB = 1024 * 1024

# Connections that are not authenticated yet, and the rate of new ones.
HALF_OPEN_MAX = 64
"""Accepted connections whose peer is not known yet; one more drops the oldest of the fullest address."""
HALF_OPEN_PER_IP_MAX = 16
HANDSHAKE_S = 5
HANDSHAKE_BYTES_MAX = 16 * 1024
"""What a connection may send before it is authenticated."""
ACCEPTS_PER_S = 50.0
"""Per address; a handshake costs milliseconds of CPU. Above it, connections are closed at once."""
ACCEPTS_BURST = 100.0
ACCEPTS_TOTAL_PER_S = 100.0
"""Of all addresses. Peers on the list are dialled too, so a flood from everywhere does not part them."""
ACCEPTS_TOTAL_BURST = 400.0
ADDRESSES_REMEMBERED_MAX = 4_096
LISTEN_BACKLOG = 512
SYSTEM_BUSY_S = 0.1
"""Until the next attempt to accept when the system has no room."""

# Connections.
STRANGERS_MAX = 32
"""Connected peers that are not on the list, where such are let in at all."""
STREAMS_PER_PEER_MAX = 128
"""Open streams a peer may have begun; honest ones have one per protocol and one per request in flight."""
STREAMS_PER_STRANGER_MAX = 40
CHANNELS_PER_PROTOCOL_MAX = 4
"""Open streams of one peer to one listener; honest ones have one."""
REQUEST_CHANNELS_MAX = 32
"""Open streams of one peer for its requests: REQUESTS_PER_PEER_MAX in flight, and as many just given up."""
RESET_S = 1.0
"""Ending a stream waits no longer for the connection to take it."""
NEGOTIATION_S = 5
NEGOTIATION_BYTES_MAX = 1024
"""What a stream's opener may send before both know its protocol."""
PING_S = 3.0
"""A connection silent for so long is pinged."""
PONG_S = 6.0
"""And closed when it stays silent so long again."""

PROBE_S = 1.0
"""A connection that a peer seems to have forgotten has so long to show that it lives."""

# Dialling.
CONNECT_S = 5.0
BACK_OFF_S = 0.2
BACK_OFF_S_MAX = 5.0
BACK_OFF_GROWTH = 1.7
STABLE_S = 2.0
"""A connection that lived so long is dialled again at once when it is lost."""

# Bytes in flight.
READ_BYTES = 64 * 1024
"""One read from the socket."""
CHANNEL_READ_BYTES = 256 * 1024
"""One read from a stream."""
WRITE_BYTES = 256 * 1024
"""Messages are gathered into one write up to here."""
WIRE_BYTES_MAX = 1 * MIB
"""Waiting for the socket; beyond it writers wait."""
WRITE_STALL_S = 20.0
"""A socket that takes so long for WIRE_BYTES_MAX is closed."""
STREAM_BYTES_MAX = 2 * MESSAGE_BYTES_MAX
"""
Sent on a stream and not yet taken by its listener.

With six listeners a listed peer can keep 640 MiB busy at the worst: 4 streams of 16 MiB to each, 32 questions of 8 MiB.
"""
ACKNOWLEDGED_MESSAGES = 256
"""A listener confirms after so many messages,"""
ACKNOWLEDGED_BYTES = 4 * MIB
"""or so many bytes."""
STRANGER_MESSAGE_BYTES_MAX = 256 * 1024
"""Of a question; strangers have no streams to listeners. All together they keep 320 MiB busy at most."""
FRAME_S = 30.0
"""A message once begun must arrive in so long."""

# Rates per peer. Above them a peer is read slower, and finds its own queues full.
MESSAGES_PER_S = 10_000.0
MESSAGES_BURST = 20_000.0
BYTES_PER_S = 64.0 * MIB
"""Answers included, on streams nobody reads too: each byte is decrypted."""
BYTES_BURST = 128.0 * MIB
SMALL_FRAMES_PER_S = 4_000.0
"""Frames of the multiplexer below SMALL_FRAME_BYTES; each costs as much CPU as a large one."""
SMALL_FRAMES_BURST = 8_000.0
SMALL_FRAME_BYTES = 1_024
OPENS_PER_S = 100.0
"""Streams begun; agreeing on a protocol costs milliseconds of CPU."""
OPENS_BURST = 300.0
PINGS_PER_S = 2.0
"""Of the multiplexer. py-libp2p sends one in 30 s, so here more is an offence."""
PINGS_BURST = 20.0
REQUESTS_PER_S = 1_000.0
REQUESTS_BURST = 2_000.0
REQUESTS_PER_PEER_MAX = 16
"""In flight, in each direction."""
PUBLICATIONS_PER_S = 1_000.0
PUBLICATIONS_BURST = 2_000.0

# Publications.
HOPS_MAX = 6
REOPEN_S = 1.0
"""Until the next attempt when a neighbour's stream for publications breaks."""
SEEN_MAX = 8_192
"""Publications remembered, so that none is passed on twice."""
PUBLICATIONS_BYTES_MAX = 4 * MIB
"""Waiting per neighbour; beyond it the newest are dropped."""
