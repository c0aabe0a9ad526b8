"""
One life after another in one process: when the others are so far ahead that a snapshot is quicker than running all
their blocks, the node ends, and the next one begins from one, with the same key, folder and port.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import trio

from genesis.spec import ChainSpec
from node.app import Ready, run_node
from node.config import Config
from node.consensus.doors import Signer
from node.life import Place
from node.sync.leap import Leaps

Enter = Callable[[], AbstractAsyncContextManager[Place | None]]
"""Joins the network, once for each life."""


class Lives:
    """As `run_node`, but for `enter`."""

    def __init__(self, config: Config, spec: ChainSpec, key: bytes | Signer | None, enter: Enter) -> None:
        self._config, self._spec, self._key, self._enter = config, spec, key, enter
        self._leaps = Leaps()
        self._stopped = False
        self.count = 0
        self._ready: Ready | None = None

    def stop(self) -> bool:
        """The one that runs leaves, and no other follows. Whether one runs: one that comes up may be cancelled."""
        self._stopped = True
        if self._ready is not None:
            self._ready.stop()
        return self._ready is not None

    async def run(self, task_status: trio.TaskStatus[Ready] = trio.TASK_STATUS_IGNORED) -> None:
        """Until stopped or cancelled; started with what the first one tells. Raises as `run_node`."""
        while not self.count or (self._leaps.due and not self._stopped):
            async with self._enter() as place, trio.open_nursery() as nursery:
                self._ready = ready = await nursery.start(
                    run_node, self._config, self._spec, self._key, place, self._leaps
                )
                self.count += 1
                if self._stopped:
                    ready.stop()
                elif self.count == 1:
                    self._config = replace(self._config, gateway=replace(self._config.gateway, port=ready.port))
                    task_status.started(ready)
            self._ready = None
