"""
`python -m devnet.skewed MS …`: the node's command line with a wall clock MS milliseconds ahead of this machine's.

The settlement chain is the world's, not the node's, so its clock is the machine's still.
"""

from __future__ import annotations

import sys
import time

from node.cli import edge


def main() -> None:
    """Run the command of sys.argv[2:]."""
    ahead_ns = int(sys.argv.pop(1)) * 1_000_000
    true_ns, true_s = time.time_ns, time.time
    import node.app
    from node.cli.app import app

    vars(node.app)["wall_clock_ms"] = lambda: true_ns() // 1_000_000
    time.time_ns = lambda: true_ns() + ahead_ns
    time.time = lambda: true_s() + ahead_ns / 1_000_000_000
    edge.run(app)


if __name__ == "__main__":
    main()
