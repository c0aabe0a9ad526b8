"""SHA-256 in core Python is hashlib's, in WASM and in the mirror, for every length around a block's edge."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
import wasmtime

from execution.vm.core_mirror import Mirror
from execution.vm.core_wasm import Emitter, Names
from execution.vm.runtime.sha256 import BLOCK_BYTES, DIGEST_BYTES, WORK_BYTES, blocks, sha256
from execution.wasm import ModuleBuilder

AT = 1000
LENGTHS = (0, 1, 3, 48, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000)
MESSAGES = [random.Random(size).randbytes(size) for size in LENGTHS]


class Wasm:
    def __init__(self) -> None:
        builder = ModuleBuilder()
        memory = builder.memory(1, 1)
        emitter = Emitter(builder, Names({"scratch": memory}, {}, {}))
        builder.export("sha256", "function", emitter.function(sha256))
        builder.export("scratch", "memory", memory)
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        module = wasmtime.Module(engine, builder.encode())
        self.exports: Any = wasmtime.Instance(self.store, module, []).exports(self.store)

    def scratch_after(self, message: bytes, dirt: bytes) -> bytes:
        scratch = self.exports["scratch"]
        scratch.write(self.store, dirt, 0)
        scratch.write(self.store, message, AT)
        self.exports["sha256"](self.store, AT, len(message))
        return bytes(scratch.read(self.store, 0, len(dirt)))


def mirrored(message: bytes, dirt: bytes) -> bytes:
    memory = bytearray(dirt)
    memory[AT : AT + len(message)] = message
    Mirror({"scratch": memory}).function(sha256)(AT, len(message))
    return bytes(memory)


@pytest.fixture(scope="module")
def wasm() -> Wasm:
    return Wasm()


@pytest.mark.parametrize("message", MESSAGES, ids=map(str, LENGTHS))
def test_the_digest_replaces_the_message_and_what_lies_outside_stays(wasm: Wasm, message: bytes) -> None:
    dirt = random.Random(7).randbytes(4096)
    after = wasm.scratch_after(message, dirt)
    end = AT + BLOCK_BYTES * Mirror({}).function(blocks)(len(message)) + WORK_BYTES
    assert after[AT : AT + DIGEST_BYTES] == hashlib.sha256(message).digest()
    assert after[:AT] == dirt[:AT] and after[end:] == dirt[end:]
    assert mirrored(message, dirt) == after
