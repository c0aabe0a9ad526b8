"""The first test of a mutant: a few cases of the fuzzer, in a process that starts at once. Exit code 1 kills."""

from __future__ import annotations

import sys
import threading

from node.fuzz.calls import made
from node.fuzz.compare import Difference, Refused
from node.fuzz.legs import Legs
from node.fuzz.worker import RECURSION_MAX, STACK_BYTES

CASES = 60


def main() -> None:
    told: list[str] = ["broke"]

    def work() -> None:
        legs = Legs()
        for number in range(CASES):
            try:
                legs.run(made(f"quick {number}"))
            except (Difference, Refused) as error:
                told[0] = str(error).splitlines()[0]
                return
        told[0] = ""

    sys.setrecursionlimit(RECURSION_MAX)
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print(told[0])
    sys.exit(1 if told[0] else 0)


if __name__ == "__main__":
    main()
