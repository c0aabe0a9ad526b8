"""
A chain's kernel: it is code that the chain keeps, like its programs, and a later one takes over at a height.

The kernel's interface has a number of its own, exported by the module, so that a Tenor knows what it can run. An
upgrade travels as a deployment signed by the chain's admin: its one file, `kernel.wasm`, is the module, packed; the
block records the bytes, and `deployment_delay_blocks` later the block opens under it. All state moves over as it is,
so what the interface covers (memories, records, layout of state) must be the same on both sides.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence

from execution.vm.host import Code, Host
from execution.vm.layout import HEAP_TOP
from execution.vm.state import KERNEL_ADDRESS
from genesis.chain import Deployment, SignedTransaction
from genesis.errors import Invalid
from genesis.spec import ChainSpec
from genesis.transaction import DeployTransaction

FILE = "kernel.wasm"
NAME = "kernel"
FORMAT = "kernel 1"
KERNEL_BYTES_MAX = 1 << 20
_COPY_BYTES = 1 << 20


def packed(wasm: bytes) -> str:
    """The text of the upgrade's file: base 85 of zlib, since a deployment carries texts."""
    return base64.b85encode(zlib.compress(wasm, 9)).decode()


def upgrades(transaction: object) -> bool:
    """Whether a deployment is a kernel's."""
    return isinstance(transaction, DeployTransaction) and [path for path, _ in transaction.files] == [FILE]


def deployment_of(signed: SignedTransaction, spec: ChainSpec) -> Deployment:
    """
    What a block records of a kernel upgrade.

    Raises:
        Invalid: "not_authorised" unless the chain's admin signed it, "bad_kernel" for a file that is not packed so.
    """
    t = signed.transaction
    assert isinstance(t, DeployTransaction), "only deployments are recorded"
    if signed.signer != spec.admin:
        raise Invalid("The kernel is upgraded by the chain's admin alone; sign with that key.", "not_authorised")
    wasm = _unpacked(t.files[0][1])
    return Deployment(KERNEL_ADDRESS, signed.id, signed.signer, NAME, b"", b"", FORMAT, bytes(32), wasm, "")


def _unpacked(text: str) -> bytes:
    unpack = zlib.decompressobj()
    try:
        wasm = unpack.decompress(base64.b85decode(text), KERNEL_BYTES_MAX)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise Invalid(f"{FILE} is base 85 of zlib's bytes: {error}", "bad_kernel") from error
    if not unpack.eof or unpack.unused_data:
        raise Invalid(f"{FILE} holds one module of at most {KERNEL_BYTES_MAX} bytes.", "bad_kernel")
    return wasm


def next_kernel(active: Iterable[Deployment], spec: ChainSpec) -> bytes | None:
    """The kernel that these deployments bring, the last of several; None when they are programs."""
    found = [one.wasm for one in active if one.address == KERNEL_ADDRESS and one.deployer == spec.admin]
    return found[-1] if found else None


def move_state(old: Host, new: Host, codes: Sequence[Code], height: int) -> None:
    """
    Fill a fresh host from one between two blocks: the same programs, each memory up to its heap top.

    Raises:
        Invalid: "kernel_interface": a program asks for what the new kernel does not export.
    """
    new.call("open_block", height, 0, 0)
    for code in codes:
        new.add(code)
    for number in range(1 + len(codes)):
        top = int.from_bytes(old.read(number, "state", HEAP_TOP, 8), "little")
        for at in range(0, top, _COPY_BYTES):
            new.write(number, "state", at, old.read(number, "state", at, min(_COPY_BYTES, top - at)))
