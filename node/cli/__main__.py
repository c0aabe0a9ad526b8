"""`python -m node.cli`: the node's commands without the console script, for processes that start a node."""

import sys

from node.cli import edge, quick

code = quick.run(sys.argv[1:])
if code is None:
    from node.cli.app import app

    edge.run(app)
sys.exit(code)
