"""
Core Python: a systems subset of Python over i32 and i64 in which the kernel and the runtime are written.

One source, two machines: `core_wasm.Emitter` compiles a function into a WASM module, `core_mirror.Mirror` runs it under
CPython on bytearrays; both give the same bits (wrapping arithmetic included). Written like this, in any module:

    STATE = Memory("state")                     # found by name when emitted: names.memories["state"]
    g = Globals(gas="i64", sp="i32")            # g.gas reads, g.gas -= 5 writes: names.globals["gas"]
    class reject(Tag): parameters = ("i64",)    # raise reject(7) throws, except reject as r: … r.value catches
    call = Extern("call", ("i64", "i32"), ())   # an imported function: names.functions["call"]
    dispatch = Table("dispatch", ("i32",), ())  # dispatch(index, 5) is call_indirect: no entry, a trap
    K = parameter("K")                          # a constant of generation: emitter.function(find, K=3)

    @core(key=K)                                # `key` becomes K word parameters; key[i] needs a constant i
    def find(entry: i64, key: Words) -> i64:    # several results: -> tuple[i64, i64]
        while entry:
            equal = 1                           # a local has the type of its first value; x: i32 = 0
            for i in unroll(K):                 # expanded; `for i in range(a, b)` is a loop
                if load64(STATE, entry + 8 + 8 * i) != key[i]:
                    equal = 0
            if equal:
                break
            entry = load32(STATE, entry)        # loads give i64, narrow ones zero-extended; addresses are i32 or i64
        return entry

Statements: assignment (also of tuples), if, while, for, break, continue, return, raise, try, calls. Operators + - * &
| ^ ~ << >> wrap and are signed, comparisons too and give i32; unsigned and wide ones are the intrinsics below. Names
of the module that hold ints, and calls of plain Python functions on constants, are folded; an `if` on a constant
keeps only the taken branch. `@inline` instead of `@core()` writes a small function out where it is called, `@apart()`
never does.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from execution.wasm import ValueType

P = ParamSpec("P")
R = TypeVar("R")

i32 = int
i64 = int
Words = tuple[int, ...]


class CoreError(Exception):
    """A function is not core Python: the text names function, line and what is wrong. Never a user's mistake."""


class Memory:
    """A linear memory, by name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Globals:
    """Global variables with their types; read and written as attributes."""

    kinds: dict[str, ValueType]

    def __init__(self, **kinds: ValueType) -> None:
        object.__setattr__(self, "kinds", kinds)

    def __getattr__(self, name: str) -> int:
        raise CoreError(f"global {name} is read outside core Python")

    def __setattr__(self, name: str, value: int) -> None:
        raise CoreError(f"global {name} is written outside core Python")


class Tag(Exception):
    """An exception with at most one word; the class name is the tag's name."""

    parameters: ClassVar[tuple[ValueType, ...]] = ()

    @property
    def value(self) -> int:
        return cast(int, self.args[0])


class Extern:
    """A function that is imported, by name."""

    def __init__(self, name: str, params: tuple[ValueType, ...], results: tuple[ValueType, ...]) -> None:
        self.name, self.params, self.results = name, params, results

    def __call__(self, *arguments: int) -> Any:
        raise CoreError(f"{self.name} is called outside core Python")


class Table(Extern):
    """A table of functions of one signature; the first argument of a call is the index."""


class Intrinsic:
    """An operation the compiler knows, with one result or none."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: int | Memory) -> int:
        raise CoreError(f"{self.name} is called outside core Python")


class WideIntrinsic(Intrinsic):
    """An operation with two results, low word first."""

    def __call__(self, *arguments: int) -> tuple[int, int]:  # type: ignore[override]
        raise CoreError(f"{self.name} is called outside core Python")


class Parameter:
    """A constant that is given when a function is emitted."""

    def __init__(self, name: str) -> None:
        self.name = name


def parameter(name: str) -> int:
    """Declare a constant of generation; typed as the int it becomes."""
    return cast(int, Parameter(name))


def unroll(count: int) -> range:
    """`for i in unroll(count)` repeats its body with i = 0, 1 … as a constant."""
    return range(count)


def u64(value: int) -> int:
    """An i32 zero-extended."""
    raise CoreError("u64 is called outside core Python")


# Memory: load(memory, address) → i64, store(memory, address, value), copy(to memory, from memory, to, from, bytes),
# fill(memory, address, byte, bytes), grow(memory, pages of 64 KiB) → old size or −1, size(memory) → pages of 64 KiB.
load8, load16, load32, load64 = (Intrinsic(f"load{bits}") for bits in (8, 16, 32, 64))
store8, store16, store32, store64 = (Intrinsic(f"store{bits}") for bits in (8, 16, 32, 64))
copy, fill, grow, size = Intrinsic("copy"), Intrinsic("fill"), Intrinsic("grow"), Intrinsic("size")
# Unsigned comparison and arithmetic. div and rem trap on zero (div_s on overflow too): check before.
lt_u, le_u, gt_u, ge_u = Intrinsic("lt_u"), Intrinsic("le_u"), Intrinsic("gt_u"), Intrinsic("ge_u")
shr_u, rotl, clz, ctz = Intrinsic("shr_u"), Intrinsic("rotl"), Intrinsic("clz"), Intrinsic("ctz")
div_u, rem_u, div_s, rem_s = Intrinsic("div_u"), Intrinsic("rem_u"), Intrinsic("div_s"), Intrinsic("rem_s")
mul_fold = Intrinsic("mul_fold")  # high ^ low of the unsigned 128-bit product
select = Intrinsic("select")  # select(condition, a, b): both are evaluated
mul_wide_u, mul_wide_s = WideIntrinsic("mul_wide_u"), WideIntrinsic("mul_wide_s")
add128, sub128 = WideIntrinsic("add128"), WideIntrinsic("sub128")  # (a low, a high, b low, b high)


class CoreFunction(Generic[P, R]):
    """A function in core Python: its source, and the module it names things in."""

    def __init__(
        self, function: Callable[P, R], word_counts: dict[str, int], inlined: bool = False, apart: bool = False
    ) -> None:
        self.name = function.__name__
        self.word_counts = word_counts
        self.inlined = inlined
        self.apart = apart
        self._function = function
        self._tree: ast.FunctionDef | None = None
        self._parameters: frozenset[str] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        raise CoreError(f"{self.name} runs inside a WASM module or a Mirror")

    @property
    def names(self) -> dict[str, Any]:
        """What a free name in the source means."""
        closure = inspect.getclosurevars(self._function).nonlocals
        return {**self._function.__globals__, **closure}

    @property
    def tree(self) -> ast.FunctionDef:
        """The parsed source, with the line numbers of its file."""
        if self._tree is None:
            tree = ast.parse(textwrap.dedent(inspect.getsource(self._function))).body[0]
            assert isinstance(tree, ast.FunctionDef)
            ast.increment_lineno(tree, self._function.__code__.co_firstlineno - 1)
            self._tree = tree
        return self._tree

    def bind(self, **constants: int) -> Bound[P, R]:
        """The function with constants of generation fixed, to be called from one that has none of them."""
        return Bound(self, constants)

    @cached_property
    def _values(self) -> tuple[object, ...]:
        """What the names in its source stand for, and the counts of its rows."""
        used = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
        return (*(value for name, value in self.names.items() if name in used), *self.word_counts.values())

    def parameters(self) -> frozenset[str]:
        """Names of the generation constants that it, or a function it calls, depends on."""
        if self._parameters is not None:
            return self._parameters
        found: set[str] = set()
        seen: set[int] = set()
        waiting: list[CoreFunction[..., Any]] = [self]
        while waiting:
            function = waiting.pop()
            if id(function) in seen:
                continue
            seen.add(id(function))
            values = function._values
            found |= {value.name for value in values if isinstance(value, Parameter)}
            waiting += [value for value in values if isinstance(value, CoreFunction)]
            for value in values:
                if isinstance(value, Bound):
                    found |= value.function.parameters() - value.constants.keys()
        self._parameters = frozenset(found)
        return self._parameters


class Bound(Generic[P, R]):
    """A core function whose constants of generation are fixed."""

    def __init__(self, function: CoreFunction[P, R], constants: dict[str, int]) -> None:
        self.function, self.constants = function, constants

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)


def core(**word_counts: int) -> Callable[[Callable[P, R]], CoreFunction[P, R]]:
    """Decorate a function of core Python; name=K makes the parameter `name` a row of K words."""
    return lambda function: CoreFunction(function, word_counts)


def apart(**word_counts: int) -> Callable[[Callable[P, R]], CoreFunction[P, R]]:
    """
    Decorate, as `core` does, a function that is never written out where it is called.

    For what happens seldom: written out it would take registers from what happens always.
    """
    return lambda function: CoreFunction(function, word_counts, apart=True)


def inline(function: Callable[P, R]) -> CoreFunction[P, R]:
    """
    Decorate a small function that is written out where it is called.

    Its only return is its last statement, and a call of it is the whole right side of an assignment.
    """
    return CoreFunction(function, {}, inlined=True)
