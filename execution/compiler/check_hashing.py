"""
Bytes32 and sha256: digests as values.
"""

from __future__ import annotations

import ast
import re
import struct

from execution.compiler import limits, tree
from execution.compiler import types as t
from execution.compiler.context import Context

HEX32 = re.compile(r"0x[0-9a-fA-F]{64}")


def bytes32(context: Context, node: ast.Call) -> tree.Expression:
    """`Bytes32("0x…")`, a constant."""
    argument = node.args[0] if len(node.args) == 1 and not node.keywords else None
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and HEX32.fullmatch(argument.value):
        return tree.Literal(t.BYTES32, struct.unpack("<4q", bytes.fromhex(argument.value[2:])))
    wrong = "a Bytes32 is written 0x and 64 hexadecimal digits"
    raise context.error(node, wrong, 'write Bytes32("0x…"), Bytes32.zero() or sha256(…)')


def sha256(context: Context, node: ast.Call) -> tree.Expression:
    """Packed words of flat values. None alone shows no type to Python, so an Optional is hashed inside a struct."""
    if not node.args or node.keywords:
        raise context.error(node, "`sha256` takes one or more values", "write sha256(purpose, account, amount)")
    args = tuple(context.check(arg) for arg in node.args)
    for argument, value in zip(node.args, args, strict=True):
        if not t.is_flat(value.type) or isinstance(value.type, t.OptionalType):
            instead = "hash flat values; an Optional inside a Struct"
            raise context.error(argument, f"{value.type} is not hashed", instead)
    if sum(t.words(value.type) for value in args) > limits.HASHED_WORDS_MAX:
        raise context.error(node, f"more than {limits.HASHED_WORDS_MAX} words", "hash parts, then their digests")
    return tree.Digest(t.BYTES32, args, node.lineno)
