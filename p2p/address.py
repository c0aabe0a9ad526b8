"""Where peers are: multiaddresses of TCP, "/ip4/192.0.2.7/tcp/26600", also /ip6, /dns, /dns4, /dns6, also /p2p/name."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from genesis.errors import Invalid
from p2p.identity import public_key
from p2p.network import Peer

HOST_CHARACTERS_MAX = 253
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """host: an IP address or a name to resolve. port: 0 asks the system for a free one when listening."""

    host: str
    port: int

    def __str__(self) -> str:
        try:
            kind = f"ip{ipaddress.ip_address(self.host).version}"
        except ValueError:
            kind = "dns"
        return f"/{kind}/{self.host}/tcp/{self.port}"


@dataclass(frozen=True, slots=True)
class StaticPeer:
    """A peer one knows before it calls. address None: it is let in, but not dialled."""

    peer: Peer
    address: Address | None = None

    def __post_init__(self) -> None:
        public_key(self.peer)


def read_address(text: str) -> Address:
    """Read a multiaddress without a name. Raises Invalid "bad_address"."""
    address, peer = _read(text)
    if peer is not None:
        raise _bad(text)
    return address


def read_static_peer(text: str) -> StaticPeer:
    """Read a multiaddress that ends in /p2p/name. Raises Invalid "bad_address", "bad_peer"."""
    address, peer = _read(text)
    if peer is None:
        raise _bad(text)
    return StaticPeer(peer, address)


def _read(text: str) -> tuple[Address, Peer | None]:
    parts = text.split("/")
    match parts:
        case ["", kind, host, "tcp", port, *rest] if port.isdecimal() and port.isascii() and int(port) <= PORT_MAX:
            if not _is_host(kind, host) or (rest and (len(rest) != 2 or rest[0] != "p2p")):
                raise _bad(text)
            return Address(host, int(port)), rest[1] if rest else None
        case _:
            raise _bad(text)


def _is_host(kind: str, host: str) -> bool:
    if kind in ("dns", "dns4", "dns6"):
        return 0 < len(host) <= HOST_CHARACTERS_MAX and host.isascii() and host.isprintable() and " " not in host
    try:
        return kind == f"ip{ipaddress.ip_address(host).version}"
    except ValueError:
        return False


def _bad(text: str) -> Invalid:
    return Invalid(f"{text!r} is no address; write it like /ip4/192.0.2.7/tcp/26600/p2p/12D3KooW….", "bad_address")
