"""Names, keys and addresses of nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair as ed25519_pair
from libp2p.crypto.secp256k1 import create_new_key_pair as secp256k1_pair
from libp2p.peer.id import ID

from genesis.crypto import ORDER
from genesis.errors import Invalid
from p2p.address import Address, StaticPeer, read_address, read_static_peer
from p2p.identity import Kind, NodeKey, is_peer, is_signed, public_key

PAIRS = {Kind.ED25519: ed25519_pair, Kind.SECP256K1: secp256k1_pair}
SECRETS = st.binary(min_size=32, max_size=32).filter(lambda secret: 0 < int.from_bytes(secret, "big") < ORDER)
ALICE = NodeKey(bytes([1]) * 32)


@given(SECRETS, st.sampled_from(Kind))
def test_a_name_is_the_peer_id_that_libp2p_derives(secret: bytes, kind: Kind) -> None:
    pair = PAIRS[kind](secret)
    peer = NodeKey(secret, kind).peer
    assert peer == str(ID.from_pubkey(pair.public_key))
    assert public_key(peer) == (kind, pair.public_key.to_bytes())


@pytest.mark.parametrize("kind", Kind)
def test_a_signature_is_of_one_key_over_one_message(kind: Kind) -> None:
    key, other = NodeKey(bytes([1]) * 32, kind), NodeKey(bytes([2]) * 32, kind)
    signature = key.sign(b"message")
    assert is_signed(key.peer, b"message", signature)
    assert not is_signed(key.peer, b"another", signature)
    assert not is_signed(other.peer, b"message", signature)
    assert not is_signed(key.peer, b"message", b"")
    assert not is_signed("nobody", b"message", signature)


def test_a_key_does_not_show_its_secret() -> None:
    assert repr(ALICE) == f"NodeKey({ALICE.peer})"


@pytest.mark.parametrize(
    ("secret", "kind"), [(bytes(31), Kind.ED25519), (bytes(32), Kind.SECP256K1), (b"\xff" * 32, Kind.SECP256K1)]
)
def test_what_is_no_key_is_refused(secret: bytes, kind: Kind) -> None:
    with pytest.raises(Invalid) as refusal:
        NodeKey(secret, kind)
    assert refusal.value.code == "bad_key"


@given(
    st.text() | st.text(alphabet="123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", min_size=50, max_size=55)
)
def test_what_is_no_name_is_refused(text: str) -> None:
    assert not is_peer(text)


@pytest.mark.parametrize("text", [ALICE.peer[:-1], "Qm" + "1" * 50, "1" * 52, ALICE.peer.replace("1", "0", 1)])
def test_what_is_nearly_a_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        StaticPeer(text)
    assert refusal.value.code == "bad_peer"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/ip4/192.0.2.7/tcp/26600", Address("192.0.2.7", 26600)),
        ("/ip6/2001:db8::7/tcp/1", Address("2001:db8::7", 1)),
        ("/dns4/node.example/tcp/65535", Address("node.example", 65535)),
    ],
)
def test_an_address_is_a_multiaddress(text: str, address: Address) -> None:
    assert read_address(text) == address
    assert read_address(str(address)) == address
    assert read_static_peer(f"{text}/p2p/{ALICE.peer}") == StaticPeer(ALICE.peer, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.7:26600",
        "/ip4/192.0.2.7/udp/26600",
        "/ip4/192.0.2.7/tcp/65536",
        "/ip4/192.0.2.7/tcp/-1",
        "/ip4/192.0.2.7/tcp/²",
        "/ip4/2001:db8::7/tcp/1",
        "/ip4/300.0.2.7/tcp/1",
        "/dns/bad host/tcp/1",
        "/ip4/192.0.2.7/tcp/26600/ws",
        "/ip4/192.0.2.7/tcp/26600/p2p/a/b",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="write it like"):
        read_address(text)
    with pytest.raises(Invalid, match="write it like"):
        read_static_peer(text)
