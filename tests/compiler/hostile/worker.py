"""
Compiles hostile bundles under limits and says what became of each: `python -m tests.compiler.hostile.worker`, a JSON
line for each.

Every bundle is compiled near the caller's recursion limit. A line: name, verdict ("compiles", or the error's first
line), seconds of processor time to a verdict and on to machine code, the largest memory of the process in MB. Bundles
that cost little share a process; each of the others has its own.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping

from execution.compiler import CompileError, compile_bundle
from execution.vm.machine import compiled
from tests.compiler.hostile import GROUPS, HEAVY, MAIN, bundles_of

CPU_SECONDS_MAX = 60
MEMORY_BYTES_MAX = 2 << 30  # of address space, in which WASM's engine reserves more than it uses
FRAMES_LEFT = 60  # of Python's stack, for the call that compiles

Line = dict[str, str | float]


def verdict(files: Mapping[str, str]) -> tuple[str, bytes]:
    try:
        return "compiles", compile_bundle(files, MAIN).wasm
    except CompileError as error:
        return str(error).split("\n", 1)[0], b""


def at_depth(files: Mapping[str, str]) -> tuple[str, bytes]:
    """The verdict as a caller near the end of its stack sees it."""

    def down(frames: int) -> tuple[str, bytes]:
        return down(frames - 1) if frames else verdict(files)

    frame, used = sys._getframe(), 0
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    return down(sys.getrecursionlimit() - used - FRAMES_LEFT)


def measure(name: str, files: Mapping[str, str]) -> Line:
    began = time.process_time()
    found, wasm = at_depth(files)
    if wasm:
        compiled(wasm)
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"name": name, "verdict": found, "seconds": seconds, "memory": memory}


def apart(bundles: Mapping[str, Mapping[str, str]]) -> Iterator[Line]:
    """`measure` in a child; a child that dies leaves lines out."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        with os.fdopen(writer, "w") as pipe:
            for name, files in bundles.items():
                print(json.dumps(measure(name, files)), file=pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        yield from map(json.loads, pipe)
    os.waitpid(child, 0)


def lines() -> Iterator[Line]:
    for group in GROUPS:
        bundles = bundles_of(group)
        if group in HEAVY:
            for name, files in bundles.items():
                yield from apart({name: files})
        else:
            yield from apart(bundles)


if __name__ == "__main__":
    for line in lines():
        print(json.dumps(line), flush=True)
