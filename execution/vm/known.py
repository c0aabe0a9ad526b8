"""
A known program with a known outcome: whether this machine computes as all others do.

It uses what kernels and programs are made of and engines may do wrong: wide products, unsigned division, rotation,
exceptions, memory. What it has to leave was computed in whole numbers.
"""

from __future__ import annotations

from hashlib import sha256

from execution.vm.machine import run_alone
from genesis.errors import Corrupt

ROUNDS = 8_192
SEED, FACTOR = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95
OUTCOME = bytes.fromhex("e188a5b619e3203e31624b4e0384b8a53241a7ca8c43af44613dfbba9379271e")
"""SHA-256 of the memory."""
PROGRAM = f"""
(module
  (memory (export "memory") 1)
  (tag $odd)
  (func (export "run") (local $at i32) (local $x i64) (local $low i64) (local $high i64)
    (local.set $x (i64.const {SEED}))
    (loop $next
      (i64.mul_wide_u (local.get $x) (i64.const {FACTOR}))
      (local.set $high)
      (local.set $low)
      (local.set $x (i64.xor (i64.rotl (local.get $low) (i64.const 31))
        (i64.div_u (local.get $high) (i64.or (i64.const 1) (i64.shr_u (local.get $low) (i64.const 40))))))
      (block $thrown
        (try_table (catch $odd $thrown)
          (if (i64.eqz (i64.and (local.get $x) (i64.const 7))) (then (throw $odd)))
          (local.set $x (i64.add (local.get $x) (local.get $high)))))
      (i64.store (local.get $at) (local.get $x))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const {8 * ROUNDS}))))))
"""


def check_machine() -> None:
    """Raises Corrupt when the known program leaves something else."""
    found = sha256(run_alone(PROGRAM, 8 * ROUNDS)).digest()
    if found != OUTCOME:
        raise Corrupt(f"this machine computes wrongly: a known program left {found.hex()}, not {OUTCOME.hex()}")
