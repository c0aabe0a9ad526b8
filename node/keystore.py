"""
Private keys at rest: Ethereum keystore version 3 (Web3 Secret Storage), scrypt and AES-128-CTR.

A file made here opens in any Ethereum wallet, and theirs open here (scrypt or PBKDF2). Files are written whole or not
at all, readable by their owner only. Parameters of foreign files are bounded before any work is done with them.
Source: https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import uuid
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from genesis.crypto import PRIVATE_KEY_BYTES, address_of, keccak256
from genesis.errors import Corrupt, Invalid

SCRYPT_N = 1 << 17
"""Work factor of new files: 128 MiB and about 0.4 s, what geth's "standard" takes half of."""
SCRYPT_N_LIGHT = 1 << 12
"""4 MiB and a few milliseconds: for development keys, whose secret is printed anyway."""
SCRYPT_R = 8
SCRYPT_P = 1
DERIVED_BYTES = 32
SECRET_BYTES = 24
"""Of a random password."""
FILE_BYTES_MAX = 16_384
SCRYPT_MEMORY_BYTES_MAX = 1 << 30
PBKDF2_ROUNDS_MAX = 10_000_000
SCRYPT_LANES_MAX = 16


def encrypt(private_key: bytes, password: str, scrypt_n: int = SCRYPT_N) -> dict[str, Any]:
    """Return the keystore object of a 32-byte private key. Raises Invalid when it is no key of the curve."""
    address = address_of(private_key)
    salt, nonce = secrets.token_bytes(32), secrets.token_bytes(16)
    derived = _scrypt(password, salt, scrypt_n, SCRYPT_R, SCRYPT_P, DERIVED_BYTES)
    ciphertext = _aes_128_ctr(derived[:16], nonce, private_key)
    return {
        "version": 3,
        "id": str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        "address": address.hex(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": nonce.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {"dklen": DERIVED_BYTES, "n": scrypt_n, "r": SCRYPT_R, "p": SCRYPT_P, "salt": salt.hex()},
            "mac": keccak256(derived[16:32] + ciphertext).hex(),
        },
    }


def decrypt(keystore: object, password: str) -> bytes:
    """
    Return the private key.

    Raises:
        Invalid: "bad_keystore" for another version, cipher or derivation, or parameters out of bounds; "bad_password".
    """
    try:
        private_key = _decrypt(keystore, password)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(f"Not a keystore of version 3: {error!r}.", "bad_keystore") from error
    return private_key


def save(path: Path, private_key: bytes, password: str, scrypt_n: int = SCRYPT_N) -> None:
    """
    Write a new keystore file, mode 0600, whole or not at all.

    Raises:
        Invalid: "exists"; a key file is never overwritten.
    """
    if path.exists():
        raise Invalid(f"{path} exists; a key is never overwritten: name another file or move it away.", "exists")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps(encrypt(private_key, password, scrypt_n), indent=2) + "\n"
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)
    except FileExistsError as error:
        raise Invalid(
            f"{path} exists; a key is never overwritten: name another file or move it away.", "exists"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def new_key() -> bytes:
    """A random private key."""
    return secrets.token_bytes(PRIVATE_KEY_BYTES)


def save_with_secret(path: Path, secret_path: Path, private_key: bytes, light: bool = False) -> None:
    """
    Write a new keystore file under a random password, and a file with that password, both of mode 0600.

    Args:
        light: encrypt weakly, for a development key.

    Raises:
        Invalid: "exists".
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    write_secret(secret_path, secret)
    save(path, private_key, secret, SCRYPT_N_LIGHT if light else SCRYPT_N)


def write_secret(path: Path, secret: str) -> None:
    """A new file of one line, mode 0600. Raises Invalid "exists"."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Invalid(f"{path} exists; name another folder or move it away.", "exists") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")


def load(path: Path, password: str) -> bytes:
    """Return the private key in a file. Raises Invalid "not_found", "bad_keystore", "bad_password"."""
    keystore = _read(path)
    try:
        return decrypt(keystore, password)
    except Invalid as error:
        raise Invalid(f"{path}: {error}", error.code) from error


def address_in(path: Path) -> bytes:
    """Return the address a file states, without a password. Raises Invalid "not_found", "bad_keystore"."""
    keystore = _read(path)
    text = keystore.get("address") if isinstance(keystore, dict) else None
    try:
        address = bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError:
        address = b""
    if len(address) != 20:
        raise Invalid(f"{path} states no address of 40 hexadecimal digits.", "bad_keystore")
    return address


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise Invalid(f"There is no key file {path}; make one with `tenor keys new`.", "not_found") from error
    except OSError as error:
        raise Corrupt(f"Key file {path} cannot be read: {error}.") from error
    try:
        if len(data) > FILE_BYTES_MAX:
            raise ValueError(f"more than {FILE_BYTES_MAX} bytes")
        keystore: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{path} is not a keystore: {error}.", "bad_keystore") from error
    return keystore


def _decrypt(keystore: Any, password: str) -> bytes:
    if keystore["version"] != 3:
        raise ValueError(f"version {keystore['version']!r}")
    # geth writes "crypto", some older wallets "Crypto"
    box = keystore["crypto"] if "crypto" in keystore else keystore["Crypto"]
    if box["cipher"] != "aes-128-ctr":
        raise ValueError(f"cipher {box['cipher']!r}")
    ciphertext = bytes.fromhex(box["ciphertext"])
    derived = _derive(box["kdf"], box["kdfparams"], password)
    if not hmac.compare_digest(keccak256(derived[16:32] + ciphertext), bytes.fromhex(box["mac"])):
        raise Invalid("The password is wrong, or the file was altered.", "bad_password")
    private_key = _aes_128_ctr(derived[:16], bytes.fromhex(box["cipherparams"]["iv"]), ciphertext)
    if len(private_key) != PRIVATE_KEY_BYTES:
        raise ValueError(f"a key of {len(private_key)} bytes")
    address_of(private_key)
    return private_key


def _derive(kind: str, parameters: Any, password: str) -> bytes:
    salt, length = bytes.fromhex(parameters["salt"]), parameters["dklen"]
    if length != DERIVED_BYTES:
        raise ValueError(f"dklen {length!r}")
    if kind == "scrypt":
        n, r, p = parameters["n"], parameters["r"], parameters["p"]
        if not all(type(x) is int and x > 0 for x in (n, r, p)) or 128 * n * r > SCRYPT_MEMORY_BYTES_MAX:
            raise ValueError(f"scrypt parameters n={n!r} r={r!r}")
        if p > SCRYPT_LANES_MAX or n.bit_length() > 16 * r:  # RFC 7914: N < 2^(128 r / 8)
            raise ValueError(f"scrypt parameters n={n!r} r={r!r} p={p!r}")
        return _scrypt(password, salt, n, r, p, length)
    if kind == "pbkdf2" and parameters["prf"] == "hmac-sha256":
        rounds = parameters["c"]
        if type(rounds) is not int or not 0 < rounds <= PBKDF2_ROUNDS_MAX:
            raise ValueError(f"pbkdf2 rounds {rounds!r}")
        return PBKDF2HMAC(hashes.SHA256(), length, salt, rounds).derive(password.encode())
    raise ValueError(f"key derivation {kind!r}")


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    return Scrypt(salt=salt, length=length, n=n, r=r, p=p).derive(password.encode())


def _aes_128_ctr(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt, which is the same."""
    stream = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return stream.update(data) + stream.finalize()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
