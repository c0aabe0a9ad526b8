"""Programs whose IR is kept as golden files, and which run under CPython and as IR side by side."""

COUNTER = '''
"""The smallest program with state, an argument, a reason and an event."""

from execution.lang import Event, Program, emit, external, require, view

STEP_MAX: int = 10 ** 3


class Counted(Event):
    total: int


class Counter(Program):
    total: int

    @external(order="cancel")
    def add(self, step: int) -> int:
        require(0 < step <= STEP_MAX, "step out of range")
        self.total += step
        emit(Counted(self.total))
        return self.total

    @view
    def read(self) -> int:
        return self.total
'''

LEDGER = '''
"""Maps, structs, optionals and records, without arithmetic worth a look."""

from execution.lang import (
    Account, Decimal, List, Map, Optional, Program,
    Record, Struct, Symbol, external, require, tx, view,
)


class Pair(Struct):
    owner: Account
    name: Symbol


class Pocket(Struct):
    amount: Decimal
    note: Optional[int]


class Drawer(Record):
    label: Symbol
    items: Map[int, Decimal]
    log: List[int]


class Ledger(Program):
    pockets: Map[Pair, Pocket]
    drawers: Map[Account, Drawer]
    last: Optional[Pocket]

    @external
    def put(self, name: Symbol, amount: Decimal, note: Optional[int]) -> Optional[Pocket]:
        pair = Pair(tx.sender, name)
        before = self.pockets.get(pair)
        pocket = Pocket(amount=amount, note=note)
        if before is not None and before.amount > amount:
            pocket = before.replace(note=note)
        self.pockets[pair] = pocket
        self.last = before
        return before

    @external
    def file(self, label: Symbol, key: int, amount: Decimal) -> int:
        drawer = self.drawers.obtain(tx.sender)
        drawer.label = label
        drawer.items[key] = amount
        drawer.log.append(key)
        return len(drawer.items) + len(drawer.log)

    @external
    def open(self, label: Symbol) -> None:
        drawer = self.drawers.create(tx.sender)
        drawer.label = label

    @external
    def close(self) -> Decimal:
        total = Decimal(0)
        for key, amount in self.drawers[tx.sender].items.items():
            total += amount
        del self.drawers[tx.sender]
        return total

    @external
    def wipe(self) -> None:
        self.drawers.clear()
        self.pockets.clear()

    @view
    def known(self, owner: Account, name: Symbol) -> bool:
        return Pair(owner, name) in self.pockets
'''

CALLS = '''
"""Calls of other programs: plain, capped, tolerated, in a world."""

from execution.lang import (
    Account, Decimal, Duration, Enum, Event, Program, ProgramRef, Reason, Rejected, World, at_end, emit, external,
    reason, require,
    view,
)
from venue import Other


class Failed(Event):
    why: Reason


class Calls(Program):
    other: ProgramRef[Other]
    done: int

    @external
    def through(self, amount: Decimal, account: Account) -> int:
        at_end(self.check, account)
        return self.other.act(amount) + ProgramRef[Other](account).look(amount, gas=5_000)

    @external
    def careful(self, amount: Decimal) -> bool:
        for turn in range(3):
            try:
                self.done += self.other.act(amount, gas=20_000)
                if self.done > 5:
                    return True
                if turn == 1:
                    break
            except Rejected as refusal:
                if refusal.reason == reason("busy"):
                    continue
                emit(Failed(refusal.reason))
        return False

    @view
    def shocked(self, amount: Decimal) -> int:
        return self.other.look(amount, world=World(1, Decimal("1.1"), Decimal(1), Duration.days(1)))

    def check(self, account: Account) -> None:
        require(account != Account.zero(), "nobody")
'''

GYM = '''
"""Everything that has a meaning worth comparing: order of evaluation, loops, containers, arithmetic, times, matches."""

from execution.lang import (
    Account, Decimal, Duration, Enum, List, Map, Optional, OrderedMap, Program, Record, Rejected, Struct, Symbol,
    Timestamp,
    div_down, div_up, external, mul_div, mul_down, mul_up, require, sqrt, view,
)

RATE = Decimal("0.05") * 3 + 1
WEEK = Duration.days(7)
GOLD = Symbol("GOLD")


class Side(Enum):
    BUY = 0
    SELL = 1
    HOLD = 2


class Span(Struct):
    start: int
    stop: int


class Node(Record):
    weight: Decimal
    span: Span
    children: OrderedMap[int, Decimal]


def clamp(value: int, low: int = -100, high: int = 100) -> int:
    return max(low, min(value, high))


def ends(span: Span) -> tuple[int, int]:
    return span.stop, span.start


def weigh(node: Node, by: Decimal) -> Decimal:
    node.weight += by
    return node.weight


class Gym(Program):
    trace: int
    numbers: Map[int, int]
    sorted: OrderedMap[int, Decimal]
    prices: OrderedMap[Decimal, int]
    nodes: Map[int, Node]
    inner: Map[int, Map[int, int]]
    items: List[int]
    shelf: List[Node]
    sum: Decimal
    when: Timestamp
    flag: bool

    def mark(self, digit: int) -> int:
        self.trace = (self.trace * 10 + digit) % 1000000007
        return digit

    def find(self, key: int) -> Optional[int]:
        return self.numbers.get(key)

    @external
    def order(self, a: int, b: int) -> int:
        self.numbers[self.mark(1)] = self.mark(2) + self.mark(3)
        self.numbers[self.mark(1)] += self.mark(4)
        self.items.append(self.mark(5))
        if len(self.items) > 4:
            self.items.clear()
        x = self.mark(6) if a > b else self.mark(7)
        y = self.mark(8) > 0 and self.mark(9) > a or self.mark(1) > 5
        if self.mark(2) < self.mark(b % 7) < self.mark(4):
            self.flag = not y
        span = Span(stop=self.mark(3), start=self.mark(4))
        return x + span.start * 10 + span.stop * 100

    @external
    def numbers_of(self, a: int, b: int) -> tuple[int, int, int, Decimal, int]:
        return a // b, a % b, abs(a) * clamp(b) - -a, a / b, 3 - min(a, b, 7)

    @external
    def decimals_of(self, a: Decimal, b: Decimal, n: int) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
        return a * b + n, a / b - RATE, a // b, a % b, max(abs(a), b, n)

    @external
    def rounded(
        self, a: Decimal, b: Decimal, c: int
    ) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal, Decimal, int, int, int]:
        return (
            mul_up(a, b), mul_down(a, b), div_up(a, c), div_down(a, c), mul_div(a, b, c), sqrt(a),
            a.floor(), b.ceil(), (a + b).round(),
        )

    @external
    def times(self, at: Timestamp, gap: Duration, n: int) -> tuple[Timestamp, Duration, int, Duration]:
        require(at < at + gap or gap <= Duration(0), "time runs backwards")
        self.when = at + WEEK
        return (
            at + gap * n, (at + gap) - self.when, gap // Duration.seconds(2),
            gap % Duration.minutes(1) + Duration.seconds(n)
        )

    @external
    def sides(self, side: Side, n: int) -> Side:
        match side:
            case Side.BUY:
                self.trace += n
            case Side.SELL | Side.HOLD:
                self.trace -= n
        match side:
            case Side.HOLD:
                return Side.BUY
            case _:
                return Side.HOLD if n > 3 else side

    @external
    def loop(self, n: int, stop: int) -> int:
        total = 0
        for i in range(n, -n, -1):
            if i == stop:
                continue
            for j in range(i):
                if j > 3:
                    break
                total += i * j
            i = 7
        while True:
            total -= 1
            if total % 5 == 0:
                break
            if total < -50:
                return total
        while n > 0 and total > 0:
            n -= 1
            total //= 2
        return total

    @external
    def set_number(self, key: int, value: int) -> Optional[int]:
        before = self.find(key)
        self.numbers[key] = value
        if before is None:
            return None
        return before + 1 if before != value else before

    @external
    def move_numbers(self, key: int) -> int:
        total = 0
        for number in self.numbers:
            total += number
            if number == key:
                self.numbers[key] += total
            if number == key + 1:
                self.numbers[key + 100] = 1
            if number == key + 2:
                del self.numbers[key]
            if total > 40:
                return total
        return self.numbers.pop(key) + total

    @external
    def neighbours(self, key: int) -> tuple[Optional[int], Optional[int], Optional[int], Optional[int]]:
        return self.numbers.first(), self.numbers.after(key), self.numbers.before(key), self.numbers.last()

    @external
    def sort(self, key: int, value: Decimal) -> int:
        if value > 0:
            self.sorted[key] = value
        elif key in self.sorted:
            del self.sorted[key]
        digits = 0
        for k in self.sorted.descending():
            digits = (digits * 31 + k) % 1000003
        for k, v in self.sorted.items():
            self.sum += v * k
        return digits

    @external
    def around(self, key: int) -> tuple[Optional[int], Optional[int], Optional[int], Optional[int]]:
        return self.sorted.ceiling(key), self.sorted.floor(key), self.sorted.after(key), self.sorted.before(key)

    @external
    def price(self, price: Decimal, size: int) -> Optional[Decimal]:
        self.prices[price] = self.prices.get(price, 0) + size
        if self.prices[price] < 0:
            del self.prices[price]
        best = self.prices.first()
        while best is not None and self.prices[best] > 5:
            best = self.prices.after(best)
        return best

    @external
    def node(self, key: int, weight: Decimal, child: int) -> Decimal:
        node = self.nodes.obtain(key)
        node.span = Span(key, child)
        node.children[child] = weigh(node, weight)
        if len(node.children) > 3:
            first = node.children.first()
            if first is not None:
                weight -= node.children.pop(first)
        stop, start = ends(node.span)
        if start > stop:
            del self.nodes[key]
            return weight
        return self.nodes[key].weight + node.children[child]

    @external
    def nest(self, a: int, b: int, c: int) -> int:
        self.inner.obtain(a)[b] = c
        total = 0
        for key, values in self.inner.items():
            for x, y in values.items():
                total += key * x + y
        if total > 60:
            del self.inner[a]
        if total > 90:
            self.inner.clear()
        return total

    @external
    def list(self, value: int, index: int) -> int:
        if value > 0:
            self.items.append(value)
        elif value == 0:
            self.items[index] = self.items.pop() + 1
        self.items[index] += 2
        total = 0
        for item in self.items:
            total += item
            if total > 30:
                self.items.append(total)
        return total

    @external
    def shelve(self, weight: Decimal, child: int) -> int:
        if weight < 0:
            self.shelf.pop()
        elif weight > 3:
            self.shelf.clear()
        else:
            node = self.shelf.add()
            node.weight = weight
            node.children[child] = weight
        count = 0
        for node in self.shelf:
            count += len(node.children)
        return count

    @external
    def swap(self, a: int, b: int, c: int) -> tuple[int, int, int]:
        a, b = b, a
        a, b, c = c, a, b
        span = Span(a, b)
        span = Span(span.stop, span.start)
        return span.start, span.stop, c

    @view
    def gold(self, name: Symbol, account: Account, maybe: Optional[Span]) -> tuple[bool, Symbol, int]:
        size = maybe.stop - maybe.start if maybe is not None else -1
        if name != GOLD or account == Account.zero():
            raise Rejected("not gold")
        return account != Account.kernel(), name, size
'''

SAMPLES: dict[str, str] = {"counter": COUNTER, "ledger": LEDGER, "calls": CALLS, "gym": GYM}
