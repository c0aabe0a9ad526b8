"""Functions in core Python for the compiler's tests."""

from __future__ import annotations

from execution.vm.core import (
    Globals,
    Memory,
    Tag,
    Words,
    add128,
    clz,
    copy,
    core,
    ctz,
    div_s,
    div_u,
    fill,
    ge_u,
    i32,
    i64,
    load8,
    load32,
    load64,
    lt_u,
    mul_fold,
    mul_wide_s,
    mul_wide_u,
    parameter,
    rem_s,
    rotl,
    select,
    shr_u,
    store8,
    store16,
    store32,
    store64,
    sub128,
    u64,
    unroll,
)

LEFT = Memory("left")
RIGHT = Memory("right")
K = parameter("K")
g = Globals(counter="i64", small="i32")


class reject(Tag):
    parameters = ("i64",)


class exhausted(Tag):
    pass


@core()
def mixture(a: i64, b: i64) -> i64:
    """A bit of every operation."""
    low, high = mul_wide_s(a, b)
    x, y = mul_wide_u(a, b)
    low, high = add128(low, high, x, y)
    low, high = sub128(low, high, b, a)
    total = low ^ rotl(high, a & 63) ^ mul_fold(a, b)
    total += clz(a) * 3 - ctz(b) + (a >> (b & 7)) + shr_u(b, 5) + (a << 3)
    if b != 0 and not (b < 0 and b == -1):
        total ^= div_s(a, b) + rem_s(a, b) + div_u(a, b)
    total += i64(lt_u(a, b)) + u64(i32(a)) + i64(i32(b)) + select(ge_u(a, b), a, b)
    return total if a < b or total > 0 else ~total


@core()
def collatz(n: i64) -> i64:
    """Steps to 1, at most 500; `continue` in both kinds of loop."""
    steps = 0
    while n != 1:
        if steps >= 500:
            break
        steps += 1
        if n & 1:
            n = 3 * n + 1
            continue
        n = shr_u(n, 1)
    for i in range(10):
        if i == steps:
            continue
        steps += 1
    return steps


@core(key=K)
def weigh(key: Words) -> i64:
    total = 0
    for i in unroll(K):
        total = total * 31 + key[i]
    if K == 2:
        total = -total
    return total


@core()
def bytes_about(address: i64, value: i64) -> i64:
    """Stores of every width, copies across memories."""
    fill(LEFT, address, 7, 32)
    store64(LEFT, address + 8, value)
    store32(LEFT, address + 16, value)
    store16(LEFT, address + 21, value)
    store8(LEFT, address + 24, value)
    copy(RIGHT, LEFT, address + 1, address + 3, 29)
    copy(RIGHT, RIGHT, address + 5, address, 20)
    g.counter += load32(RIGHT, address + 9)
    g.small = i32(load8(RIGHT, address + 10))
    return load64(RIGHT, address + 6)


@core()
def thrower(kind: i64) -> i64:
    if kind == 1:
        raise reject(55)
    if kind == 2:
        raise exhausted()
    return kind


@core()
def catcher(kind: i64) -> i64:
    result = 0
    for i in range(3):
        try:
            result += thrower(kind)
            if i == 1:
                continue
            result += 1000
        except reject as refusal:
            result += refusal.value
        except exhausted:
            result += 7
            break
    return result


@core()
def two(a: i64, b: i32) -> tuple[i64, i32]:
    return a + u64(b), b + 1


@core(key=K)
def caller(key: Words) -> i64:
    a, b = two(weigh(key), 5)
    a, b = a + i64(b), 3
    return a * i64(b)
