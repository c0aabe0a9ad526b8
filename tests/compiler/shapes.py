"""Programs of sequences, digests, queues and cursors; they run under CPython, as IR and as WASM side by side."""

SHAPES = '''
"""Sequences and digests in every place they can stand."""

from execution.lang import (
    Account, Array, BoundedList, Bytes32, Decimal, Enum, List, Map, Optional, Program, Record, Rejected, Struct,
    external, reason, require, sha256, view,
)

N: int = 4
LEVELS: Array[int, 3] = Array(10, 20, 30)
ROOT = Bytes32("0x00000000000000000000000000000000000000000000000000000000000000ff")

class Side(Enum):
    BUY = 0
    SELL = 1

class Point(Struct):
    x: int
    y: Decimal

class Curve(Struct):
    name: int
    points: Array[Point, 3]

class Node(Record):
    marks: Array[int, N]
    log: BoundedList[Decimal, 3]

class Shapes(Program):
    counts: Array[int, N]
    curve: Curve
    recent: BoundedList[Point, 3]
    digests: Map[Bytes32, int]
    nodes: Map[int, Node]
    root: Bytes32
    maybe: Optional[Array[int, 2]]
    rows: List[Array[int, 2]]
    grids: Map[Array[int, 2], Array[Array[int, 2], 2]]

    @external
    def hash(self, a: int, b: Decimal, who: Account, side: Side) -> Bytes32:
        d = sha256(a, b, who, side)
        self.root = sha256(self.root, d, self.curve, self.counts.copy())
        self.digests[d] = a
        require(d != ROOT, "root")
        return self.root

    @external
    def put(self, i: int, v: int) -> int:
        self.counts[i] = v
        self.counts[i] += self.counts[0]
        total = 0
        for c in self.counts:
            total += c
            self.counts[3] = 1
        return total + LEVELS[i]

    @external
    def local(self, i: int, v: Decimal) -> Array[Decimal, 4]:
        a: Array[Decimal, 4] = Array()
        a[i] = v
        a[(i + 1) % 4] = a[i] + 1
        for x in a:
            a[3] = x + 2
        b = a.copy()
        b[0] += a[3]
        a = self.double(b)
        return a

    def double(self, values: Array[Decimal, 4]) -> Array[Decimal, 4]:
        out: Array[Decimal, 4] = Array()
        for i in range(len(values)):
            out[i] = values[i] * 2
        return out

    @external
    def note(self, x: int, y: Decimal) -> BoundedList[Point, 3]:
        if x == 0:
            self.recent.clear()
        elif x == 2:
            self.recent = BoundedList(Point(x, y))
        elif x < 0:
            p = self.recent.pop()
            require(p.x != 5, "five")
        else:
            self.recent.append(Point(x, y))
        if len(self.recent) > 1:
            self.recent[1] = self.recent[0].replace(x=self.recent[1].x + 1)
        return self.recent.copy()

    @external
    def bend(self, i: int, p: Point) -> Decimal:
        points = self.curve.points.copy()
        points[i] = p
        self.curve = self.curve.replace(points=points, name=self.curve.name + 1)
        total = Decimal(0)
        for q in self.curve.points:
            total += q.y
            self.curve = Curve(0, Array(q, q, q))
        return total + self.curve.points[i].y

    @external
    def mark(self, key: int, i: int, v: Decimal) -> int:
        node = self.nodes.obtain(key)
        if key == 2:
            node.marks = Array(i, 1, i, 2)
            self.counts = node.marks.copy()
        node.marks[i] += 3
        self.nodes[key].marks[0] = node.marks[i]
        node.log.append(v)
        node.log[0] += v
        if len(node.log) == 3:
            node.log.clear()
        return node.marks[0] + len(node.log)

    @external
    def gather(self, limit: int) -> BoundedList[int, 5]:
        found: BoundedList[int, 5] = BoundedList()
        for i in range(limit):
            found.append(i * i)
        if limit > 3:
            x = found.pop()
            found[0] = x
        return found

    @external
    def opt(self, a: int) -> Optional[int]:
        if a > 3:
            self.maybe = None
        elif a > 0:
            self.maybe = Array(a, a + 1)
        m = self.maybe
        match m:
            case None:
                return None
            case found:
                return found[a % 2]

    @external
    def sides(self, s: Optional[Side]) -> int:
        match s:
            case None:
                return 0
            case Side.BUY | Side.SELL:
                return 1

    @external
    def take(self, c: Curve, b: BoundedList[Side, 3], ok: Array[bool, 2]) -> int:
        n = 0
        for s in b:
            if s == Side.SELL:
                n += 1
        if ok[0] and not ok[n % 2]:
            raise Rejected(reason("ok")) from None
        return n + c.points[n % 3].x

    @external
    def grid(self, key: Array[int, 2], i: int, j: int) -> int:
        grid: Array[Array[int, 2], 2] = Array(key, Array(i, j))
        if key in self.grids:
            grid = self.grids[key].copy()
            grid[i] = Array(grid[1][j], grid[j % 2][0])
        self.grids[key] = grid
        self.rows.append(grid[0])
        total = 0
        for row in self.rows:
            for value in row:
                total += value
        for row in grid:
            total += row[j]
        first, second = self.split(key)
        first[0] += 1
        return total + first[0] - second[i] + self.grids[key][i][j]

    def split(self, both: Array[int, 2]) -> tuple[Array[int, 2], Array[int, 2]]:
        left: Array[int, 2] = Array(both[0], 1)
        right = both.copy()
        right[1] -= 1
        return left, right

    @external
    def stack(self, numbers: BoundedList[int, 6], turns: int) -> BoundedList[int, 6]:
        mine = numbers.copy()
        for turn in range(turns):
            mine.append(mine.pop() - turn)
            mine[mine.pop() % 6] = turn
        for number in numbers:
            if number == 3:
                break
            mine.append(number)
        return mine

    @view
    def same(self, a: Array[int, N]) -> bool:
        return a == self.counts.copy()
'''

LINES = '''
"""Queues, and walks that go on where an earlier call stopped."""

from execution.lang import (
    Account, Decimal, List, Map, Optional, OrderedMap, Program, Queue, Record, Struct, external, require, view,
)


class Order(Struct):
    owner: Account
    size: Decimal
    note: Optional[int]


class Desk(Record):
    waiting: Queue[Order]
    served: int


class Lines(Program):
    line: Queue[int]
    orders: Queue[Order]
    desks: Map[int, Desk]
    queues: OrderedMap[int, Queue[Decimal]]
    ages: Map[int, int]
    prices: OrderedMap[Decimal, int]
    items: List[int]
    at: Optional[int]
    level: Optional[Decimal]
    index: Optional[int]
    sum: int

    @external
    def push(self, count: int, value: int) -> int:
        for i in range(count * 9):
            self.line.push(value + i)
        first = self.line.first()
        return len(self.line) if first is None else first

    @external
    def pop(self, count: int) -> int:
        total = 0
        for _i in range(count * 8):
            total += self.line.pop()
        return total

    @external
    def drain(self) -> int:
        total = 0
        while len(self.line) > 0:
            total = (total * 3 + self.line.pop()) % 1000003
        return total

    @external
    def walk(self, stop: int) -> int:
        total = 0
        for value in self.line:
            total = (total * 7 + value) % 1000003
            if value == stop:
                self.line.push(total)
            if value == stop + 1:
                self.line.pop()
            if total % 97 == 5:
                return total
        for order in self.orders:
            if order.size > stop:
                self.orders.clear()
                break
        return total

    @external
    def order(self, desk: int, order: Order) -> Optional[Order]:
        here = self.desks.obtain(desk)
        here.waiting.push(order)
        self.orders.push(order)
        if len(here.waiting) > 3:
            self.orders.push(here.waiting.pop())
            here.served += 1
        if here.served > 4:
            del self.desks[desk]
        return self.orders.first()

    @external
    def close(self, desk: int) -> Order:
        if desk > 5:
            self.desks.clear()
        return self.desks[desk].waiting.pop()

    @external
    def feed(self, key: int, value: Decimal) -> Optional[Decimal]:
        queue = self.queues.obtain(key)
        queue.push(value)
        taken = self.take(queue)
        if len(queue) == 0:
            del self.queues[key]
        return taken

    def take(self, queue: Queue[Decimal]) -> Optional[Decimal]:
        if len(queue) < 3:
            return None
        queue.pop()
        return queue.pop()

    @external
    def put(self, key: int, price: Decimal) -> None:
        self.ages[key] = self.ages.get(key, 0) + 1
        self.prices[price] = key
        self.items.append(key)

    @external
    def drop(self, key: int, price: Decimal) -> None:
        if price in self.prices:
            del self.prices[price]
        self.items.pop()
        del self.ages[key]

    @external
    def step(self, turns: int) -> int:
        """Goes on where the last call stopped, each container by its own rule."""
        at = self.ages.first() if self.at is None else self.at
        if at is not None and at not in self.ages:
            at = self.ages.first()
        level = self.prices.first() if self.level is None else self.prices.ceiling(self.from_level())
        index = self.items.first() if self.index is None else self.items.after(self.from_index() - 1)
        for _i in range(turns):
            if at is not None:
                self.sum += self.ages[at]
                at = self.ages.after(at)
            if level is not None:
                self.sum += self.prices[level]
                level = self.prices.after(level)
            if index is not None:
                self.sum += self.items[index]
                index = self.items.after(index)
        self.at = at
        self.level = level
        self.index = index
        return self.sum

    def from_level(self) -> Decimal:
        level = self.level
        return Decimal(0) if level is None else level

    def from_index(self) -> int:
        index = self.index
        return 0 if index is None else index

    @view
    def cursors(self, key: int, price: Decimal) -> tuple[Optional[int], Optional[Decimal], Optional[int]]:
        return self.ages.after(key), self.prices.after(price), self.items.after(key)

    @view
    def far(self, key: int) -> Optional[int]:
        require(self.items.after(9223372036854775807) is None, "beyond")
        return self.items.after(-9223372036854775808 + key)
'''

TURNS = '''
"""Who sees which change, and when: order of evaluation, copies, frozen names, sequences inside everything."""

from execution.lang import (
    Array, BoundedList, Bytes32, Decimal, Enum, List, Map, Optional, OrderedMap, Program, Queue, Record, Rejected,
    Struct, external, sha256, view,
)


class Side(Enum):
    BUY = 0
    SELL = 1

class Bag(Struct):
    items: BoundedList[int, 3]
    flags: Array[bool, 2]
    best: Optional[Array[int, 2]]

class Node(Record):
    marks: Array[int, 3]
    bags: BoundedList[Bag, 2]
    queue: Queue[Bag]

class Turns(Program):
    marks: Array[int, 3]
    stack: BoundedList[int, 4]
    bag: Bag
    bags: Map[int, Bag]
    nodes: Map[int, Node]
    rows: List[BoundedList[Side, 2]]
    books: OrderedMap[int, Map[Bytes32, Array[Decimal, 2]]]
    maybe: Optional[Bag]
    trace: int
    grid: Array[Decimal, 300]

    def bump(self, i: int) -> int:
        self.marks[0] = (self.marks[0] + 1) % 3
        self.trace = (self.trace * 10 + i) % 1000003
        self.bag = self.bag.replace(flags=Array(self.marks[0] == 1, i > 0))
        if len(self.stack) > 1:
            self.stack.pop()
        return i

    @external
    def order(self, i: int, v: int) -> int:
        self.marks[self.bump(i)] = self.marks[self.bump(0)] + v
        self.marks[self.bump(1)] += self.bump(v)
        self.stack.append(self.bump(v))
        self.stack[self.bump(0)] = self.bump(2)
        self.stack[0] += self.stack[self.bump(len(self.stack) - 1)]
        x = self.bag.flags[self.bump(i)]
        y = self.bag.flags[i]
        return self.trace + self.marks[2] if x and y else self.marks[1]

    @external
    def bagging(self, k: int, n: int, bag: Bag) -> Bag:
        items: BoundedList[int, 3] = BoundedList(n)
        items.append(len(bag.items))
        if k in self.bags:
            old = self.bags[k]
            for item in old.items:
                items.append(item)
                old = bag
            if old.flags[0]:
                items.clear()
                items.append(items_of(old))
        made = Bag(items, Array(len(items) > 2, k == 1), None)
        items[0] = 99
        best = bag.best
        if best is not None:
            made = made.replace(best=best)
            pair = best.copy()
            pair[1] = pair[0] - best[1]
            made = made.replace(best=pair)
        self.bags[k] = made
        self.maybe = made if n > 0 else bag
        self.bag = self.bags[k].replace(items=bag.items)
        return made

    @external
    def noding(self, k: int, i: int, bag: Bag) -> int:
        node = self.nodes.obtain(k)
        node.marks[i] = self.nodes[k].marks[0] + 1
        marks = node.marks.copy()
        node.marks[1] += 5
        total = marks[1] - node.marks[1]
        node.bags.append(bag)
        node.bags[0] = node.bags[len(node.bags) - 1]
        if len(node.bags) == 2:
            last = node.bags.pop()
            total += len(last.items)
            node.queue.push(last)
            node.bags.clear()
        for b in node.queue:
            for item in b.items:
                total += item
            if b.flags[1]:
                break
        if len(node.queue) > 2:
            first = node.queue.pop()
            del self.nodes[k]
            return first.items[0]
        return total

    @external
    def rowing(self, s: Side, n: int) -> int:
        row: BoundedList[Side, 2] = BoundedList()
        while len(row) < n:
            row.append(s)
        self.rows.append(row)
        row.clear()
        count = 0
        for r in self.rows:
            for side in r:
                match side:
                    case Side.BUY:
                        count += 1
                    case Side.SELL:
                        count -= 1
        if self.rows[0] == row:
            count += 100
        if len(self.rows) > 4:
            last = self.rows.pop()
            self.rows.clear()
            count += len(last)
        return count

    @external
    def booking(self, k: int, name: int, d: Array[Decimal, 2]) -> Decimal:
        book = self.books.obtain(k)
        key = sha256(name, k)
        old = book.get(key, Array())
        now = old.copy()
        for i in range(2):
            now[i] += d[i]
            if now[i] > 9:
                book[key] = now
                raise Rejected("high")
        book[key] = now
        total = Decimal(0)
        for b in self.books:
            for digest, pair in self.books[b].items():
                total += pair[0] * 2 + pair[b % 2]
                if digest == key:
                    total += 1
        maybe = book.get(key)
        match maybe:
            case None:
                return total
            case found:
                return total + found[1]

    @external
    def opt(self, a: Optional[Array[int, 2]], n: int) -> Optional[BoundedList[int, 2]]:
        kept: Optional[BoundedList[int, 2]] = None
        if a is not None:
            mine: BoundedList[int, 2] = BoundedList(a[0])
            if n > 2:
                mine.append(a[1])
            for x in mine:
                if x == 3:
                    kept = mine.copy()
            mine[0] = 7
            if kept is None and n > 0:
                return mine
        return kept

    @external
    def lattice(self, steps: int, up: Decimal) -> Decimal:
        """Backwards through a lattice, in a local and in a field at once."""
        values: Array[Decimal, 300] = Array()
        seen: BoundedList[int, 150] = BoundedList()
        for i in range(steps * 40):
            values[i] = up * i
            self.grid[i] += values[i] - up
            seen.append(i)
        for step in range(steps * 4, 0, -1):
            for i in range(step):
                values[i] = (values[i] + values[i + 1]) / 2
            self.trace += seen.pop()
        seen.clear()
        total = Decimal(len(seen))
        for value in self.grid:
            total += value
        return total + values[0] + values[299] + self.grid[steps]

    @external
    def swap(self, a: Array[int, 3]) -> tuple[Array[int, 3], int]:
        x, n = self.split(a)
        y, m = self.split(x)
        x[0] = y[2] + m
        self.marks = y
        y[1] = 0
        return x, n + self.marks[1]

    def split(self, a: Array[int, 3]) -> tuple[Array[int, 3], int]:
        out: Array[int, 3] = Array()
        n = len(a)
        for v in a:
            n -= 1
            out[n] = v
            if v == 2:
                continue
            if v == 4:
                break
        return out, n

    @view
    def eq(self, a: Bag, b: Bag) -> bool:
        return a == b or a.items == b.items or sha256(a) == sha256(b)


def items_of(bag: Bag) -> int:
    total = len(bag.items)
    for item in bag.items:
        total += item
    return total
'''
