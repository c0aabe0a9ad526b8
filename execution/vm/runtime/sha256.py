"""
SHA-256 (FIPS 180-4) in core Python, over scratch: for the kernel's derived addresses, and for programs.

    sha256(at, size)    replaces the first 32 bytes at scratch[at] by the digest of scratch[at, at + size)

Padding and working words lie behind the message: scratch from `at` to `at + padded(size) + WORK_BYTES` is overwritten.
Nothing is charged here; the price is `sha256_block` for each of `blocks(size)` blocks of 64 bytes. A 32-bit word x is
kept in an i64 and turned as the upper half of x · (2³² + 1).
"""

from __future__ import annotations

from math import isqrt

from execution.vm.core import Memory, core, fill, i32, i64, load32, shr_u, store8, store32, unroll

SCRATCH = Memory("scratch")
WORD = 0xFFFFFFFF
ROUNDS = 64
BLOCK_BYTES = 64
DIGEST_BYTES = 32
WORK_BYTES = DIGEST_BYTES + 4 * ROUNDS
"""Behind the padded message: the eight chaining words, then the words of the message schedule."""

_PRIMES = tuple(n for n in range(2, 312) if all(n % d for d in range(2, isqrt(n) + 1)))


def initial(index: int) -> int:
    """H(0): the first 32 bits of the fraction of a prime's square root."""
    return isqrt(_PRIMES[index] << 64) & WORD


def constant(index: int) -> int:
    """K: the first 32 bits of the fraction of a prime's cube root, found bit by bit."""
    scaled, root = _PRIMES[index] << 96, 0
    for bit in reversed(range(36)):
        if (root | 1 << bit) ** 3 <= scaled:
            root |= 1 << bit
    return root & WORD


@core()
def blocks(size: i64) -> i64:
    """Blocks of a message of so many bytes: its padding takes at least nine."""
    return (size + BLOCK_BYTES + 8) >> 6


@core()
def swapped(x: i64) -> i64:
    """The 32-bit word with its bytes in the other order."""
    return (x & 0xFF) << 24 | (x & 0xFF00) << 8 | (x >> 8 & 0xFF00) | (x >> 24 & 0xFF)


@core()
def schedule(block: i32, words: i32) -> None:
    """The 64 words of a block's message schedule."""
    for i in range(16):
        store32(SCRATCH, words + i32(4 * i), swapped(load32(SCRATCH, block + i32(4 * i))))
    to = words
    for _ in range(ROUNDS - 16):
        x = load32(SCRATCH, to + 4)
        y = load32(SCRATCH, to + 56)
        a = x | x << 32
        b = y | y << 32
        near = shr_u(a, 7) ^ shr_u(a, 18) ^ x >> 3
        far = shr_u(b, 17) ^ shr_u(b, 19) ^ y >> 10
        store32(SCRATCH, to + 64, load32(SCRATCH, to) + near + load32(SCRATCH, to + 36) + far)
        to += 4


@core()
def compress(state: i32, block: i32, words: i32) -> None:
    """Take one block into the eight chaining words at scratch[state]."""
    schedule(block, words)
    a = load32(SCRATCH, state)
    b = load32(SCRATCH, state + 4)
    c = load32(SCRATCH, state + 8)
    d = load32(SCRATCH, state + 12)
    e = load32(SCRATCH, state + 16)
    f = load32(SCRATCH, state + 20)
    k = load32(SCRATCH, state + 24)
    h = load32(SCRATCH, state + 28)
    for i in unroll(ROUNDS):
        x = e | e << 32
        y = a | a << 32
        h += (shr_u(x, 6) ^ shr_u(x, 11) ^ shr_u(x, 25)) & WORD
        h += (k ^ e & (f ^ k)) + constant(i) + load32(SCRATCH, words + 4 * i)
        z = (shr_u(y, 2) ^ shr_u(y, 13) ^ shr_u(y, 22)) & WORD
        z += h + (a & b | c & (a | b))
        h, k, f, e, d, c, b, a = k, f, e, (d + h) & WORD, c, b, a, z & WORD
    store32(SCRATCH, state, load32(SCRATCH, state) + a)
    store32(SCRATCH, state + 4, load32(SCRATCH, state + 4) + b)
    store32(SCRATCH, state + 8, load32(SCRATCH, state + 8) + c)
    store32(SCRATCH, state + 12, load32(SCRATCH, state + 12) + d)
    store32(SCRATCH, state + 16, load32(SCRATCH, state + 16) + e)
    store32(SCRATCH, state + 20, load32(SCRATCH, state + 20) + f)
    store32(SCRATCH, state + 24, load32(SCRATCH, state + 24) + k)
    store32(SCRATCH, state + 28, load32(SCRATCH, state + 28) + h)


@core()
def sha256(at: i32, size: i64) -> None:
    """Hash scratch[at, at + size) in place; size ≥ 0, and the caller has room for padding and WORK_BYTES."""
    count = blocks(size)
    end = at + i32(BLOCK_BYTES * count)
    fill(SCRATCH, at + i32(size), 0, i32(BLOCK_BYTES * count - size))
    store8(SCRATCH, at + i32(size), 0x80)
    store32(SCRATCH, end - 8, swapped(size >> 29))
    store32(SCRATCH, end - 4, swapped((size << 3) & WORD))
    for i in unroll(8):
        store32(SCRATCH, end + 4 * i, initial(i))
    for j in range(count):
        compress(end, at + i32(BLOCK_BYTES * j), end + DIGEST_BYTES)
    for k in unroll(8):
        store32(SCRATCH, at + 4 * k, swapped(load32(SCRATCH, end + 4 * k)))
