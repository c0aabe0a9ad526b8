"""
The console script `tenor`: quick commands at once, all others through `devnet.cli`.
"""

from __future__ import annotations

import sys

from node.cli import quick


def main() -> None:
    """Run the command of sys.argv and end the process."""
    code = quick.run(sys.argv[1:])
    if code is None:
        from devnet.cli import main as others

        others()
    sys.exit(code)
