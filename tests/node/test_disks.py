"""Disks that fail, fill up, are slow or forget: the node says so, signs nothing on a doubt, and nobody waits for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO, ENOSPC, EROFS
from os import strerror
from pathlib import Path
from typing import Any

import plyvel
import pytest
import trio

from execution.vm.machine import Machine
from genesis.errors import Corrupt
from genesis.spec import genesis_hash
from node import app
from node.disk import BEAT_S, SLOW_FOR_S, SLOW_S, SyncPace
from node.engine import on_engine_stack
from node.genesis_code import folder_plan
from node.repair import repair
from node.store import Note, Store
from node.store_files import find_damage, torn_logs
from tests.node.test_validators import Town, play

CHAIN = b"g" * 32


class Disk:
    """
    A LevelDB on a disk that obeys. sync_s: how long a sync takes. error: what it ends in, 0 when it works. file: which
    one LevelDB names then.
    """

    def __init__(self) -> None:
        self.sync_s, self.error, self.file = 0.0, 0, "000005.log"
        self.failed = False
        self.tried_again = 0

    def open(self, path: str, **options: Any) -> _Database:
        return _Database(plyvel.DB(path, **options), self)


class _Database:
    def __init__(self, db: Any, disk: Disk) -> None:
        self._db, self._disk = db, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @contextmanager
    def write_batch(self, *, transaction: bool, sync: bool) -> Iterator[Any]:
        """A sync that fails may have left the rows in the file all the same."""
        disk = self._disk
        disk.tried_again += disk.failed
        with self._db.write_batch(transaction=transaction, sync=sync and not disk.error) as batch:
            yield batch
        if sync:
            time.sleep(disk.sync_s)
            if disk.error:
                disk.failed = True
                raise plyvel.IOError(f"IO error: {disk.file}: {strerror(disk.error)}".encode())


@pytest.mark.parametrize(
    ("error", "file", "remedy"),
    [
        (EIO, "000005.log", "Look at the disk"),
        (ENOSPC, "000005.log", "The disk is full: free space"),
        (ENOSPC, "000005.ldb", "The disk is full: free space"),
        (EROFS, "lock/LOCK", "Look at the disk"),
    ],
)
def test_after_a_failed_sync_nothing_is_written_any_more(tmp_path: Path, error: int, file: str, remedy: str) -> None:
    """LevelDB's word for the file leads nobody astray: a table that found no room is not damaged, a lock not held."""
    disk = Disk()
    disk.file = file
    with Store(tmp_path / "db", CHAIN, disk.open) as store:
        store.put([], [Note(1, 0, b"said")])
        disk.error = error
        with pytest.raises(Corrupt, match=rf"the disk failed .*\): IO error: {file}: {strerror(error)}.*{remedy}"):
            store.put([], [Note(2, 0, b"never said")])
        disk.error = 0
        with pytest.raises(Corrupt, match=strerror(error)):
            store.put([], [Note(3, 0, b"not tried")])
        assert disk.tried_again == 0
    with Store(tmp_path / "db", CHAIN) as again:
        assert again.notes()[0] == Note(1, 0, b"said")


def test_slow_syncs_are_told_while_they_last_and_a_while_after() -> None:
    now = 100.0
    pace = SyncPace(lambda: now)
    with pace.timed():
        assert pace.burden() == ""
        now += 3 * SLOW_S
        assert pace.burden() == "a sync of its disk has taken 3.0 s so far"
    assert pace.burden() == "its disk is slow: a sync took 3.0 s"
    now += SLOW_FOR_S
    assert pace.burden() == ""
    with pace.timed():
        now += SLOW_S / 2
    assert pace.burden() == "" and (pace.count, pace.longest_s) == (2, 3.0)


def test_time_in_which_the_process_stood_still_is_not_the_disk_s() -> None:
    now = 100.0
    pace = SyncPace(lambda: now)
    pace.beat()
    with pace.timed():
        now += 3 * SLOW_S
        assert pace.burden() == "", "nobody could note the time"
    assert pace.burden() == "", "whether the sync ends before the time is noted"
    with pace.timed():
        now += 3 * SLOW_S
        pace.beat()
    assert pace.burden() == "", "or after"
    with pace.timed():
        for _ in range(round(3 * SLOW_S / BEAT_S)):
            now += BEAT_S
            pace.beat()
        assert "has taken 3.0 s so far" in pace.burden()
    assert "a sync took 3.0 s" in pace.burden()


STOPPED = f"""
import time, trio
from node.disk import SyncPace
async def main():
    pace = SyncPace()
    async with trio.open_nursery() as nursery:
        await nursery.start(pace.run)
        await trio.to_thread.run_sync(sync, pace)
        nursery.cancel_scope.cancel()
def sync(pace):
    with pace.timed():
        print("syncs", flush=True)
        time.sleep({SLOW_S / 2})
    print(repr(pace.burden()))
trio.run(main)
"""


def test_a_process_that_was_stopped_does_not_take_its_disk_for_slow() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "syncs\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(2 * SLOW_S)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == "''\n"


def test_a_log_whose_end_is_gone_is_found(tmp_path: Path) -> None:
    """LevelDB takes it for a write that was under way, and opens."""
    with Store(tmp_path / "db", CHAIN) as store:
        for view in range(1, 20):
            store.put([], [Note(view, 0, b"vote" * 100)])
    assert list(find_damage(tmp_path / "db")) == []
    (log,) = (tmp_path / "db").glob("*.log")
    data = log.read_bytes()
    log.write_bytes(data[:-100])
    (damage,) = find_damage(tmp_path / "db")
    assert [damage] == list(torn_logs(tmp_path / "db"))
    assert damage.torn and damage.file == log and f"at byte {len(data) - 100}" in str(damage)
    log.write_bytes(data[:-100] + bytes(100))
    (damage,) = find_damage(tmp_path / "db")
    assert damage.file == log
    log.write_bytes(data[:3000] + bytes((data[3000] ^ 1,)) + data[3001:])
    (damage,) = find_damage(tmp_path / "db")
    assert not damage.torn and damage.file == log
    with pytest.raises(Corrupt, match=log.name):
        Store(tmp_path / "db", CHAIN)


@pytest.mark.slow
def test_a_slow_disk_gives_up_leading_and_a_failing_one_signing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks = {str(tmp_path / str(number) / "store"): Disk() for number in range(4)}

    class OnDisk(Store):
        def __init__(self, path: Path, chain: bytes) -> None:
            super().__init__(path, chain, disks[str(path)].open)

    monkeypatch.setattr(app, "Store", OnDisk)

    async def test(town: Town) -> None:
        await town.grown(0, 3)
        slow = await town.leader()
        other, failing = [number for number in town.members if number != slow][:2]
        disk_of = list(disks.values())
        disk_of[slow].sync_s = 1.5 * SLOW_S
        client = town.members[slow].client
        while "disk" not in (await client.consensus())["burden"]:
            await trio.sleep(0.05)
        while await town.leader() == slow:
            await trio.sleep(0.05)
        before = await town.height(slow)
        await town.grown(other, 8)
        while await town.height(slow) <= before:
            await trio.sleep(0.05)
        disk_of[slow].sync_s = 0.0
        disk_of[failing].error = EIO
        ended = town.members[failing].ended
        await ended.wait()
        assert strerror(EIO) in str(town.failed.pop(failing))
        assert disk_of[failing].tried_again == 0
        await town.grown(other, 3)
        disk_of[failing].error = 0
        town.members.pop(failing)
        await harm_and_repair(town, failing)
        await town.start(failing)
        while await town.height(failing) < await town.height(other) - 1:
            await trio.sleep(0.05)
        await town.grown(failing, 3)
        while not (await town.members[failing].client.consensus())["votes"]:
            await trio.sleep(0.05)
        await town.level()

    play(tmp_path, test)


async def harm_and_repair(town: Town, number: int) -> None:
    """A bit of a stored block flips; the node does not start, and says in which file; then it is repaired."""
    folder = town.folder / str(number)
    chain = genesis_hash(town.spec, on_engine_stack(lambda: Machine(folder_plan(folder, town.spec)).genesis(town.spec)))
    Store(folder / "store", chain).close()  # moves the log into a table
    with Store(folder / "store", chain) as store:
        head = store.head() or 0
        body = store.body(head)
    assert body is not None
    table = next(path for path in (folder / "store").glob("*.ldb") if body in path.read_bytes())
    data = bytearray(table.read_bytes())
    data[data.find(body) + len(body) // 2] ^= 1
    table.write_bytes(data)
    with pytest.raises(RuntimeError, match="without calling"):
        await town.start(number)
    assert str(table) in str(town.failed.pop(number))
    done = await trio.to_thread.run_sync(on_engine_stack, lambda: repair(folder, town.spec, lambda *_: None))
    assert [one.file for one in done.damage] == [table] and done.after < head == done.before
