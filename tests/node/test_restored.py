"""A validator's folder is replaced by an older copy: its node asks the others, contradicts nothing, and votes again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from tests.node.test_validators import COUNT, Town, play


@pytest.mark.slow
def test_a_restored_folder_signs_nothing_twice_and_votes_again(tmp_path: Path) -> None:
    restored = COUNT - 1
    folder, copy = tmp_path / str(restored), tmp_path / "copy"

    async def why(town: Town) -> str:
        return str((await town.members[restored].client.consensus())["why"])

    async def test(town: Town) -> None:
        await town.grown(0, 3)
        await town.kill(restored)
        await trio.to_thread.run_sync(shutil.copytree, folder, copy)
        await town.start(restored)
        await town.grown(restored, 6)
        await town.kill(restored)
        await town.grown(0, 3)
        await trio.to_thread.run_sync(shutil.rmtree, folder)
        await trio.to_thread.run_sync(copy.rename, folder)
        await town.start(restored)
        while await why(town):
            await trio.sleep(0.02)
        await town.kill(next(number for number in town.members if number != restored))  # now its votes are needed
        await town.grown(restored, 5)
        await town.level()
        for member in town.members.values():
            while not (view := await member.client.consensus())["votes"]:
                await trio.sleep(0.02)
            assert view["evidence"] == []

    play(tmp_path, test)
