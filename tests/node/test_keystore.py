"""Keys at rest: other wallets' files open here, ours are whole, private, and never overwritten."""

from __future__ import annotations

import hashlib
import json
import stat
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from genesis.crypto import address_of, keccak256
from genesis.errors import Invalid
from node import keystore
from node.keystore import SCRYPT_N_LIGHT

KEY = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
"""Key and password of the test vectors published with the Web3 Secret Storage definition."""
PASSWORD = "testpassword"
SCRYPT_VECTOR: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
PBKDF2_VECTOR: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def test_the_published_vector_opens() -> None:
    assert keystore.decrypt(PBKDF2_VECTOR, PASSWORD) == KEY


def test_scrypt_is_the_one_of_rfc_7914() -> None:
    """The derivation inside a file of ours is the RFC's: another implementation finds the same MAC."""
    box = keystore.encrypt(KEY, "pleaseletmein", SCRYPT_N_LIGHT)["crypto"]
    salt = bytes.fromhex(box["kdfparams"]["salt"])
    derived = hashlib.scrypt(b"pleaseletmein", salt=salt, n=SCRYPT_N_LIGHT, r=8, p=1, dklen=32, maxmem=1 << 26)
    assert keccak256(derived[16:] + bytes.fromhex(box["ciphertext"])).hex() == box["mac"]


def test_parameters_outside_rfc_7914_are_refused() -> None:
    """The definition's own scrypt vector has N = 2¹⁸ for r = 1, which the RFC forbids and OpenSSL does not compute."""
    with pytest.raises(Invalid, match="scrypt parameters n=262144 r=1"):
        keystore.decrypt(SCRYPT_VECTOR, PASSWORD)


def test_what_is_saved_loads_again_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "me.json"
    keystore.save(path, KEY, "pässwörd", SCRYPT_N_LIGHT)
    assert keystore.load(path, "pässwörd") == KEY
    assert keystore.address_in(path) == address_of(KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["me.json"]


def test_a_wrong_password_is_named(tmp_path: Path) -> None:
    path = tmp_path / "me.json"
    keystore.save(path, KEY, "right", SCRYPT_N_LIGHT)
    with pytest.raises(Invalid, match=r"me\.json: The password is wrong") as caught:
        keystore.load(path, "wrong")
    assert caught.value.code == "bad_password"


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "me.json"
    keystore.save(path, KEY, "a", SCRYPT_N_LIGHT)
    before = path.read_bytes()
    with pytest.raises(Invalid, match="never overwritten"):
        keystore.save(path, KEY, "b", SCRYPT_N_LIGHT)
    assert path.read_bytes() == before


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="tenor keys new"):
        keystore.load(tmp_path / "none.json", "")


@pytest.mark.parametrize("text", ["", "[]", "7", '{"version":3}', "[" * 16_000, "x" * 20_000, '{"version":1}'])
def test_files_that_are_no_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(Invalid) as caught:
        keystore.load(path, "")
    assert caught.value.code == "bad_keystore"
    with pytest.raises(Invalid, match=r"bad\.json"):
        keystore.address_in(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1 << 40),
        ("n", 0),
        ("n", -2),
        ("n", 3),
        ("n", True),
        ("n", "x"),
        ("r", 1 << 30),
        ("p", 1 << 20),
        ("dklen", 64),
    ],
)
def test_costly_or_senseless_parameters_are_refused_at_once(name: str, value: object) -> None:
    vector = deepcopy(SCRYPT_VECTOR)
    vector["crypto"]["kdfparams"][name] = value
    with pytest.raises(Invalid) as caught:
        keystore.decrypt(vector, PASSWORD)
    assert caught.value.code in {"bad_keystore", "bad_password"}


def test_an_altered_ciphertext_does_not_open() -> None:
    box = json.loads(json.dumps(keystore.encrypt(KEY, "a", SCRYPT_N_LIGHT)))
    first = box["crypto"]["ciphertext"]
    box["crypto"]["ciphertext"] = ("0" if first[0] != "0" else "1") + first[1:]
    with pytest.raises(Invalid, match="altered"):
        keystore.decrypt(box, "a")
