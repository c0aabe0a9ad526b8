"""`python -m node.cli`: the node's commands without the console script, for processes that start a node."""

from node.cli import edge
from node.cli.app import app

edge.run(app)
