"""
Compiles one bundle in a process of its own: `python -m node.compile_job`, request on stdin, answer on stdout, msgpack.

A hostile source can cost this process its memory or its time, never the node's. Request: [files, main, gas table];
answer: ["ok", ir_hash, wasm, abi] or ["invalid", code, message].
"""

from __future__ import annotations

import resource
import sys

import msgpack

from execution.compiler import compile_bundle
from genesis.errors import Invalid

MEMORY_BYTES_MAX = 1 << 30
CPU_SECONDS_MAX = 10


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    answer: tuple[str | bytes, ...]
    files, entry, gas = msgpack.unpackb(sys.stdin.buffer.read(), use_list=False)
    try:
        artifact = compile_bundle(dict(files), entry, dict(gas))
        answer = ("ok", artifact.ir_hash, artifact.wasm, artifact.abi.text())
    except Invalid as error:
        answer = ("invalid", error.code, str(error), "")
    sys.stdout.buffer.write(msgpack.packb(answer))


if __name__ == "__main__":
    main()
