"""
What the language brings along: arithmetic functions, constructors of small values, services of the kernel, methods of
values.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from execution.compiler import tree
from execution.compiler import types as t
from execution.compiler.arithmetic import NUMBERS, ORDERED, operation, suffix
from execution.compiler.check_containers import length
from execution.compiler.check_hashing import bytes32, sha256
from execution.compiler.context import Context
from execution.compiler.fold import DECIMAL_MAX, DECIMAL_MIN
from execution.compiler.scope import Signature
from execution.compiler.selector import reason_word, selector

Builtin = Callable[[Context, ast.Call], tree.Expression]
DURATIONS = {"milliseconds": 1, "seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
PLACES_MAX = 18
CALLED = {
    "Rejected": "write `raise Rejected(…)`",
    "int": "write .floor(), .ceil() or .round() of a Decimal",
    "bool": "write a comparison",
}
"""What to write instead of a call of words that are none."""
MATHEMATICS = ("exp", "ln", "log2", "norm_pdf", "norm_cdf", "norm_inv", "erf")


def values(context: Context, node: ast.Call, *types: t.Type) -> tuple[tree.Expression, ...]:
    """Exactly these positional arguments."""
    name = ast.unparse(node.func)
    if node.keywords or len(node.args) != len(types):
        raise context.error(node, f"`{name}` takes {len(types)} plain arguments", "add or remove some")
    return tuple(context.check(arg, of) for arg, of in zip(node.args, types, strict=True))


def text(context: Context, node: ast.Call, index: int) -> str:
    """A text constant among the arguments; it becomes one of the program's reasons."""
    argument = node.args[index] if len(node.args) > index else None
    if (
        not isinstance(argument, ast.Constant)
        or not isinstance(argument.value, str)
        or argument.value.strip() == ""
        or "\n" in argument.value
    ):
        raise context.error(node, "a constant text is expected here", 'write "why it failed"')
    return argument.value


def reason_of(context: Context, node: ast.Call, index: int) -> tree.Literal:
    """The word of a reason's text."""
    reason = text(context, node, index)
    context.shared.reasons[reason] = None
    return tree.Literal(t.REASON, (reason_word(reason),))


def _absolute(context: Context, node: ast.Call) -> tree.Expression:
    if len(node.args) != 1 or node.keywords:
        raise context.error(node, "`abs` takes one number", "remove the rest")
    value = context.check(node.args[0])
    if value.type not in NUMBERS:
        raise context.error(node, f"`abs` is not defined for {value.type}", "use a number")
    return operation(value.type, f"abs.{suffix(value.type)}", (value,), node.lineno)


def _extreme(context: Context, node: ast.Call) -> tree.Expression:
    """min and max of two or more numbers or times; numbers mix."""
    name = ast.unparse(node.func)
    if node.keywords or len(node.args) < 2:
        raise context.error(node, f"`{name}` takes two or more values", "give them as plain arguments")
    items = [context.check(arg) for arg in node.args]
    of = t.DECIMAL if any(item.type == t.DECIMAL for item in items) else items[0].type
    if of not in ORDERED:
        raise context.error(node, f"`{name}` is not defined for {of}", "use numbers or times")
    result = context.convert(items[0], of, node.args[0])
    for item, argument in zip(items[1:], node.args[1:], strict=True):
        pair = (result, context.convert(item, of, argument))
        result = operation(of, f"{name}.{suffix(of)}", pair, node.lineno)
    return result


def _decimals(operation_name: str, count: int) -> Builtin:
    def check(context: Context, node: ast.Call) -> tree.Expression:
        return operation(t.DECIMAL, operation_name, values(context, node, *([t.DECIMAL] * count)), node.lineno)

    return check


def _length(context: Context, node: ast.Call) -> tree.Expression:
    if len(node.args) != 1 or node.keywords:
        raise context.error(node, "`len` takes one container", "remove the rest")
    return length(context, node)


def _reason(context: Context, node: ast.Call) -> tree.Expression:
    if len(node.args) != 1 or node.keywords:
        raise context.error(node, "`reason` takes one text", 'write reason("why")')
    return reason_of(context, node, 0)


def _service(name: str, *types: t.Type, result: t.Type = t.NONE, writes: bool = True) -> Builtin:
    def check(context: Context, node: ast.Call) -> tree.Expression:
        args = values(context, node, *types)
        if writes:
            context.write(node)
        return tree.Ask(result, name, args, node.lineno)

    return check


def handler(context: Context, node: ast.Call, index: int) -> Signature:
    """The method that `self.name` among the arguments refers to."""
    argument = node.args[index] if len(node.args) > index else None
    match argument:
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in context.shared.program.methods:
            return context.shared.program.methods[name]
    raise context.error(node, "a handler is a method of this program", "write self.name without calling it")


def _hook(name: str, first: t.Type, payload: t.Type) -> Builtin:
    def check(context: Context, node: ast.Call) -> tree.Expression:
        if len(node.args) != 2 or node.keywords:
            raise context.error(node, f"`{name}` takes a {first} and a handler", f"{name}(…, self.handler)")
        value = context.check(node.args[0], first)
        signature = handler(context, node, 1)
        number = handler_number(context, node, signature, payload)
        return tree.Ask(t.NONE, name, (value, number), node.lineno)

    return check


def handler_number(context: Context, node: ast.Call, signature: Signature, *payloads: t.Type) -> tree.Literal:
    """Selector of a hook that takes one of the payloads; asking for it changes state."""
    taken = [parameter.type for parameter in signature.parameters]
    if signature.kind != "hook" or taken not in [[payload] for payload in payloads]:
        instead = f"@hook def {signature.name}(self, … : {payloads[0]}) -> Outcome"
        raise context.error(node, f"`{signature.name}` cannot be the handler here", instead)
    context.write(node)
    return tree.Literal(t.INT, (selector(signature.name, taken),))


def _crossing(context: Context, node: ast.Call) -> tree.Expression:
    sides = {"above": 0, "below": 1}
    keywords = [(keyword.arg, keyword.value) for keyword in node.keywords]
    if len(node.args) != 2 or len(keywords) != 1 or keywords[0][0] not in sides:
        instead = "subscribe_cross(feed, self.handler, above=level)"
        raise context.error(node, "`subscribe_cross` takes a feed, a handler, and a level above= or below=", instead)
    feed = context.check(node.args[0], t.FEED)
    number = handler_number(context, node, handler(context, node, 1), t.QUOTE, t.CROSSING)
    ((side, written),) = keywords
    level = context.check(written, t.DECIMAL)
    place = tree.Literal(t.INT, (sides[str(side)],))
    return tree.Ask(t.INT, "subscribe_cross", (feed, level, place, number), node.lineno)


BUILTINS: dict[str, Builtin] = {
    "abs": _absolute,
    "min": _extreme,
    "max": _extreme,
    "len": _length,
    "mul_up": _decimals("mul_up.d", 2),
    "mul_down": _decimals("mul_down.d", 2),
    "div_up": _decimals("div_up.d", 2),
    "div_down": _decimals("div_down.d", 2),
    "mul_div": _decimals("mul_div.d", 3),
    "mul_div_up": _decimals("mul_div_up.d", 3),
    "mul_div_down": _decimals("mul_div_down.d", 3),
    "sqrt": _decimals("sqrt.d", 1),
    "pow": _decimals("pow.d", 2),
    **{name: _decimals(f"{name}.d", 1) for name in MATHEMATICS},
    "reason": _reason,
    "sha256": sha256,
    "publish": _service("publish", t.FEED, t.DECIMAL, t.DECIMAL, t.TIMESTAMP, t.DURATION),
    "subscribe": _hook("subscribe", t.FEED, t.QUOTE),
    "unsubscribe": _hook("unsubscribe", t.FEED, t.QUOTE),
    "schedule": _hook("schedule", t.TIMESTAMP, t.TIMESTAMP),
    "subscribe_cross": _crossing,
    "unsubscribe_cross": _service("unsubscribe_cross", t.INT, result=t.BOOL),
    "subscribe_fills": _hook("subscribe_fills", t.ACCOUNT, t.FILL),
    "unsubscribe_fills": _service("unsubscribe_fills", t.ACCOUNT),
    "hears_fills": _service("hears_fills", t.ACCOUNT, result=t.BOOL, writes=False),
    "report_fill": _service("report_fill", t.ACCOUNT, t.INT, t.INT, t.BOOL, t.DECIMAL, t.DECIMAL, t.DECIMAL),
    "resume": _service("resume", t.ACCOUNT),
}


def constructor(context: Context, node: ast.Call, name: str) -> tree.Expression:
    """Constructors and static methods of the language's own types."""
    of, _, static = name.partition(".")
    if of == "Duration" and static in DURATIONS:
        unit = tree.Literal(t.INT, (DURATIONS[static],))
        (count,) = values(context, node, t.INT)
        return operation(t.DURATION, "mul.w", (count, unit), node.lineno)
    if name in ("Duration", "Timestamp", "Asset", "Feed"):
        (value,) = values(context, node, t.INT)
        kind = {"Duration": t.DURATION, "Timestamp": t.TIMESTAMP, "Asset": t.ASSET, "Feed": t.FEED}[name]
        return tree.Literal(kind, value.values) if isinstance(value, tree.Literal) else tree.Part(kind, value, 0)
    match name:
        case "Decimal":
            return _decimal(context, node)
        case "Symbol":
            return _symbol(context, node)
        case "Bytes32":
            return bytes32(context, node)
        case "Bytes32.zero":
            values(context, node)
            return tree.Literal(t.BYTES32, (0, 0, 0, 0))
        case "Account.zero":
            values(context, node)
            return account_literal(0)
        case "Account.kernel":
            values(context, node)
            return account_literal(1)
        case "Account.numbered":
            (number,) = values(context, node, t.INT)
            if not isinstance(number, tree.Literal) or number.values[0] < 0:
                raise context.error(node, "Account.numbered takes a constant that is not negative", "write a number")
            return account_literal(number.values[0])
        case "Account.of":
            return _account_of(context, node)
        case "Account.derived":
            return tree.Ask(t.ACCOUNT, "derive", values(context, node, t.ACCOUNT, t.INT), node.lineno)
        case "World":
            return tree.Join(t.WORLD, values(context, node, t.INT, t.DECIMAL, t.DECIMAL, t.DURATION))
        case "Quote" | "Crossing" | "Fill":
            struct = {"Quote": t.QUOTE, "Crossing": t.CROSSING, "Fill": t.FILL}[name]
            return tree.Join(struct, values(context, node, *(kind for _, kind in struct.fields)))
    instead = CALLED.get(name, "call a constructor such as Decimal(…) or Symbol(…)")
    raise context.error(node, f"`{name}` does not stand here as a call", instead)


def account_literal(number: int) -> tree.Literal:
    """The account whose 20 bytes are the number, most significant first."""
    return tree.Literal(t.ACCOUNT, words_of(number.to_bytes(20, "big") + bytes(4)))


def words_of(image: bytes) -> tuple[int, ...]:
    """Signed little-endian words of an image."""
    return tuple(int.from_bytes(image[at : at + 8], "little", signed=True) for at in range(0, len(image), 8))


def _account_of(context: Context, node: ast.Call) -> tree.Expression:
    if len(node.args) != 1 or node.keywords:
        raise context.error(node, "`Account.of` takes a program reference", "Account.of(self.bank)")
    value = context.check(node.args[0])
    if not isinstance(value.type, t.ProgramType):
        raise context.error(node, f"{value.type} is not a program reference", "Account.of(self.bank)")
    return tree.Part(t.ACCOUNT, value, 0)


def _decimal(context: Context, node: ast.Call) -> tree.Expression:
    if len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        raw = parse_decimal(node.args[0].value)
        if raw is None or node.keywords:
            raise context.error(
                node, "this is not a decimal of at most 18 places and 128 bits", 'write Decimal("-1.25")'
            )
        return tree.Literal(t.DECIMAL, (raw,))
    (value,) = values(context, node, t.INT)
    return context.convert(value, t.DECIMAL, node)


def parse_decimal(digits: str) -> int | None:
    """Raw value of "-12.5"; None when it is no plain decimal, has more than 18 places or does not fit."""
    sign = -1 if digits.startswith("-") else 1
    whole, dot, places = digits.removeprefix("-").partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(places) > PLACES_MAX or len(whole) > 2 * PLACES_MAX + 5:
        return None
    if dot and not (places.isascii() and places.isdigit()):
        return None
    raw = sign * int(whole + places.ljust(PLACES_MAX, "0"))
    return raw if DECIMAL_MIN <= raw <= DECIMAL_MAX else None


def _symbol(context: Context, node: ast.Call) -> tree.Expression:
    argument = node.args[0] if len(node.args) == 1 and not node.keywords else None
    if (
        isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and len(argument.value) <= 16
        and "\n" not in argument.value
    ):
        return tree.Literal(t.SYMBOL, words_of(argument.value.encode("ascii").ljust(16, b"\0")))
    raise context.error(node, "a Symbol is a constant text of at most 16 characters", 'write Symbol("EURUSD")')


ROUNDINGS = ("floor", "ceil", "round")


def methods_of(of: t.Type) -> str:
    """What to write instead of a method that a type has not."""
    if of == t.DECIMAL:
        return f"it has {', '.join(ROUNDINGS)}"
    if of == t.FEED:
        return "it has quote, price"
    return "it has replace" if isinstance(of, t.StructType) else "call a function with it"


def value_method(context: Context, node: ast.Call, name: str, value: tree.Expression) -> tree.Expression:
    """Methods of Decimal and Feed."""
    if value.type == t.DECIMAL and name in ROUNDINGS:
        values(context, node)
        return operation(t.INT, f"{name}.d", (value,), node.lineno)
    if value.type == t.FEED and name == "quote":
        values(context, node)
        return tree.Ask(t.QUOTE, "quote", (value,), node.lineno)
    if value.type == t.FEED and name == "price":
        values(context, node)
        context.shared.reasons["no price"] = None
        return tree.Price(t.DECIMAL, value, node.lineno)
    if isinstance(value.type, t.OptionalType):
        raise context.error(node, f"this may be None and has no `{name}`", "test `is not None` on a local first")
    raise context.error(node, f"{value.type} has no method `{name}`", methods_of(value.type))
