"""
Documents whose blocks are run: fenced blocks of a Markdown file, what they show compared with what is printed, and the
devnet and shell in which a reader would type.

In what is shown, `…` alone on a line stands for any lines, inside a line for anything on it. Blank lines do not count.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from genesis.errors import TenorError
from node.client import Client, blocking
from node.config import DEFAULT_PORT

ROOT = Path(__file__).parents[1]
URL = f"ws://127.0.0.1:{DEFAULT_PORT}/ws"
READY_SECONDS = 180
LEAVE_SECONDS = 600
"""It seals its block, and a second process replays all of them."""
FENCE = re.compile(r"^```(\S*) ?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
END = "--- tenor documents end of block"


@dataclass(frozen=True, slots=True)
class Block:
    """
    language: first word behind the fence; words: the others. line: of the fence, from 1. file: what the sentence
    before names as the file to write (…as `name.py`:), if it does.
    """

    language: str
    words: str
    text: str
    line: int
    file: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a document, in order."""
    found = []
    for match in FENCE.finditer(text):
        before = text[: match.start()].rstrip()
        file = re.search(r"as `([\w.]+)`:$", before)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match[1], match[2], match[3], line, file[1] if file else ""))
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether the output is what a document shows."""
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line == "…" else r"[^\n]*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def shell_environment(folder: Path) -> dict[str, str]:
    """A shell in which `. .venv/bin/activate` has been typed; `tenor` is the console script or does what it does."""
    binaries = folder / "bin"
    binaries.mkdir()
    script = binaries / "tenor"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from devnet.start import main; main()" "$@"\n')
    script.chmod(0o755)
    path = f"{binaries}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


class Shell:
    """One shell for many blocks: variables and the folder stay."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(
            ["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment, cwd=folder,
        )  # fmt: skip

    def type(self, lines: str) -> tuple[str, int]:
        """What the lines print on both streams, and the exit code of the last one that fails, else 0."""
        assert self._process.stdin is not None and self._process.stdout is not None
        checked = "".join(f"{line}\n[ $? -eq 0 ] || tenor_failed=1\n" for line in lines.splitlines())
        script = f"tenor_failed=0\n{{\n{checked}}} </dev/null\necho '{END}' $tenor_failed\n"
        self._process.stdin.write(script)
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            if line.startswith(END):
                return "".join(printed), int(line.split()[-1])
            printed.append(line)
        raise AssertionError("the shell ended: " + "".join(printed))

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


class Devnet:
    """A running `tenor devnet …`, as typed in a terminal of its own. log: what it has printed so far."""

    def __init__(self, line: str, environment: dict[str, str], folder: Path) -> None:
        self._log = folder / "devnet.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", f"exec {line}"], env=environment, cwd=folder, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until_trading(self) -> None:
        """Return when its market has two sides. Raises AssertionError."""
        trio.run(self._wait)

    async def _wait(self) -> None:
        with trio.move_on_after(READY_SECONDS):
            while self._process.poll() is None:
                if await trio.to_thread.run_sync(_has_two_sides):
                    return
                await trio.sleep(0.1)
        raise AssertionError(f"no market within {READY_SECONDS} s:\n{self.log[-4000:]}")

    def interrupt(self) -> None:
        """Ctrl-C; returns when it has sealed its block and audited itself."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait(LEAVE_SECONDS)


@contextmanager
def devnet(line: str, environment: dict[str, str], folder: Path) -> Iterator[Devnet]:
    """Run a devnet on the default port, one at a time on this machine, and wait until it trades."""
    assert line.startswith("tenor devnet")
    with (Path(tempfile.gettempdir()) / f"tenor-documents-{DEFAULT_PORT}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = Devnet(line, environment, folder)
        try:
            running.wait_until_trading()
            yield running
        finally:
            running.interrupt()


def _has_two_sides() -> bool:
    async def trading(client: Client) -> bool:
        book = await client.book(0, 1)
        return bool(book["bids"] and book["asks"])

    try:
        return blocking(URL, trading)
    except TenorError:
        return False
