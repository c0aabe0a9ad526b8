"""
The command line, one file per group of commands; `app.app` gathers them, `edge.run` is the only place that catches.

A command imports what it needs when it runs, so that `tenor --help` and light commands start at once.
"""
