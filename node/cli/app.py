"""
All commands of a node and its users. `devnet.cli` adds `tenor devnet`, which stands a floor above.
"""

from __future__ import annotations

import typer

from node.cli import (
    audit,
    authoring,
    bench,
    fuzzing,
    keys,
    network,
    nodes,
    program,
    proof,
    signer,
    tracing,
    tx,
    validator,
)

app = typer.Typer(
    help="Tenor: a programmable execution engine for derivatives.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(nodes.app, name="node", help="Make, run and ask a node.")
app.add_typer(keys.app, name="keys", help="Keys in files, encrypted.")
app.add_typer(tx.app, name="tx", help="Move money, trade, look at receipts.")
for command in (authoring.check, authoring.test, authoring.run, tracing.trace, authoring.abi, authoring.doc):
    program.app.command()(command)
program.app.command()(fuzzing.fuzz)
app.add_typer(program.app, name="program", help="Write, check, deploy and call programs.")
app.add_typer(proof.app, name="proof", help="Answers that prove themselves, and their check without a node.")
app.add_typer(network.app, name="network", help="Simulate validators in bad weather.")
app.add_typer(validator.app, name="validator", help="Who certifies: stake, keys, evidence, on the settlement chain.")
app.add_typer(signer.app, name="signer", help="A validator's key in a process of its own.")
app.add_typer(bench.app, name="bench", help="Measure the engine, or a whole node.")
app.command()(audit.audit)
