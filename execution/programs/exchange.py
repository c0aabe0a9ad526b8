"""
Exchange: price-time order books. It matches; clearing decides who may hold what.

A price is a whole number of ticks, a size a whole number of lots; both are Decimals outside. Better prices first,
then earlier orders; a fill is at the resting order's price. Fees are fractions of the notional: a fee rounds up, a
rebate (a negative fee) down, both in the exchange's favour; what remains belongs to the market's fee account in
clearing. An incoming order meets at most FILLS_MAX resting ones, then its rest is cancelled. A resting order is
cancelled, not filled, when it is the taker's own, when its owner could not carry the fill, or when it was to reduce
and would not. Books keep bids under minus their ticks, so that the best level is the first on both sides. Orders live
in numbered slots used again and again; an order's id is serial * SLOTS + slot. An account's orders in a market are
chained, newest first.
"""

from execution.lang import (
    DONE,
    RETRY,
    Account,
    Decimal,
    Duration,
    Event,
    List,
    Map,
    OrderedMap,
    Outcome,
    Program,
    ProgramRef,
    Record,
    Rejected,
    Struct,
    Timestamp,
    block,
    emit,
    external,
    hears_fills,
    hook,
    mul_up,
    report_fill,
    require,
    schedule,
    tx,
    view,
)
from execution.programs.clearing import Clearing
from execution.programs.orders import Cause, Kind, Placed, Side, Verdict

PRICE_MAX = Decimal("100000000")
SIZE_MAX = Decimal("1000000000")
TICKS_MAX: int = 1000000000000000
FEE_MAX = Decimal("0.1")
MARKETS_MAX: int = 256
FILLS_MAX: int = 50
CANCELS_MAX: int = 100
LIQUIDATION_FILLS_MAX: int = 20
LIQUIDATION_CANCELS_MAX: int = 20
DEPTH_MAX: int = 100
SLOTS: int = 16777216
ANY_PRICE: int = 4000000000000000000
SWEEP_MS: int = 1000
SWEEP_LATE_MS: int = 10000
SWEPT_MAX: int = 64


class Order(Record):
    """
    A resting order, or a free slot (id 0; next: the next free slot). Links are slots, 0 is none.

    ticks: price in ticks. size: what is left. next, prev: the queue of its level; prev of the first one there means
    nothing. older, newer: its owner's orders.
    told: whether its owner is a program that hears of its fills.
    """

    id: int
    owner: Account
    market: int
    side: Side
    reduces: bool
    ticks: int
    size: Decimal
    client: int
    next: int
    prev: int
    older: int
    newer: int
    told: bool


class Level(Record):
    """Orders of one price, first come first. size: their sum."""

    head: int
    tail: int
    count: int
    size: Decimal


class Market(Record):
    """maker_fee, taker_fee: fractions of the notional. last: price of the last fill, 0 before the first."""

    contract: int
    tick: Decimal
    lot: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    last: Decimal
    bids: OrderedMap[int, Level]
    asks: OrderedMap[int, Level]


class Taker(Struct):
    """
    An incoming order. limit: the last key of the opposite book it takes. forced: it is a liquidation. fills_max: how
    many resting orders it meets at most. told: whether its owner is a program that hears of its fills.
    """

    order: int
    market: int
    owner: Account
    side: Side
    limit: int
    size: Decimal
    forced: bool
    fills_max: int
    told: bool


class Taken(Struct):
    """What matching did. stopped: the order met its fills_max and more stood there."""

    remaining: Decimal
    notional: Decimal
    stopped: bool


class Best(Struct):
    """Best prices and sizes; a side without orders has size 0."""

    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal


class BookLevel(Struct):
    """orders: how many; 0 when the book is not that deep."""

    price: Decimal
    size: Decimal
    orders: int


class OrderState(Struct):
    owner: Account
    market: int
    side: Side
    price: Decimal
    remaining: Decimal
    client: int
    reduces: bool


class MarketState(Struct):
    contract: int
    tick: Decimal
    lot: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    last: Decimal


class MarketCreated(Event):
    market: int
    contract: int
    tick: Decimal
    lot: Decimal
    maker_fee: Decimal
    taker_fee: Decimal


class Accepted(Event):
    """price: 0 for a MARKET order at any price."""

    order: int
    market: int
    owner: Account
    side: Side
    price: Decimal
    size: Decimal
    client: int


class Rested(Event):
    """What is left of an accepted order stands in the book now."""

    order: int
    market: int
    owner: Account
    side: Side
    price: Decimal
    remaining: Decimal


class Filled(Event):
    """side: the taker's. price: the maker's. Fees in the settlement asset, negative is a rebate."""

    market: int
    maker_order: int
    taker_order: int
    maker: Account
    taker: Account
    side: Side
    price: Decimal
    size: Decimal
    maker_fee: Decimal
    taker_fee: Decimal


class Cancelled(Event):
    """rested: whether `remaining` stood in the book until now."""

    order: int
    market: int
    owner: Account
    remaining: Decimal
    cause: Cause
    side: Side
    price: Decimal
    rested: bool


def opposite(side: Side) -> Side:
    return Side.SELL if side == Side.BUY else Side.BUY


def key_of(side: Side, ticks: int) -> int:
    """The key of a price in the book of `side`."""
    return -ticks if side == Side.BUY else ticks


def limit_of(side: Side, ticks: int) -> int:
    """The last key of the opposite book that an order of `side` at this price takes."""
    return ticks if side == Side.BUY else -ticks


class Exchange(Program):
    """
    admin: creates markets. fee_account: whose cash in clearing the fees become. free: first free slot, 0 for none.
    swept: start of the last sweep. turn: accounts it has seen.
    """

    clearing: ProgramRef[Clearing]
    admin: Account
    fee_account: Account
    serial: int
    free: int
    swept: Timestamp
    turn: int
    orders: List[Order]
    markets: List[Market]
    market_of: Map[int, int]

    def create(self, clearing: ProgramRef[Clearing], admin: Account, fee_account: Account) -> None:
        self.clearing = clearing
        self.admin = admin
        self.fee_account = fee_account
        self.orders.add()
        self.next_sweep()

    @external
    def create_market(self, contract: int, tick: Decimal, lot: Decimal, maker_fee: Decimal, taker_fee: Decimal) -> int:
        """
        A book for a contract that has no venue yet; its id. Admin only.

        tick, lot: positive. Fees: fractions of the notional, together not negative (a rebate is paid by the taker's
        fee).
        """
        require(tx.sender == self.admin, "not authorised")
        require(tick > 0 and tick <= PRICE_MAX, "tick out of range")
        require(lot > 0 and lot <= SIZE_MAX, "lot out of range")
        require(abs(maker_fee) <= FEE_MAX and abs(taker_fee) <= FEE_MAX, "fee out of range")
        require(maker_fee + taker_fee >= 0, "fees must not be negative together")
        index = len(self.markets)
        require(index < MARKETS_MAX, "too many markets")
        self.clearing.claim(contract, self.fee_account)
        market = self.markets.add()
        market.contract = contract
        market.tick = tick
        market.lot = lot
        market.maker_fee = maker_fee
        market.taker_fee = taker_fee
        self.market_of[contract] = index
        emit(MarketCreated(index, contract, tick, lot, maker_fee, taker_fee))
        return index

    # ---- orders

    @external
    def place(
        self,
        market: int,
        side: Side,
        price: Decimal,
        size: Decimal,
        kind: Kind,
        client: int,
        reduce_only: bool,
    ) -> Placed:
        """
        Trade against the book, then rest (LIMIT) or cancel (IOC, MARKET) the remainder.

        price: a multiple of the tick; of a MARKET order the worst one accepted, or 0 for any. size: a multiple of the
        lot. client: a number of the owner's own, told in Accepted. reduce_only: the size is first cut to the position
        it closes (Rejected "nothing to reduce"), and a resting part never does anything else.
        """
        return self.place_order(tx.sender, market, side, price, size, kind, client, reduce_only)

    @external
    def place_for(
        self,
        owner: Account,
        market: int,
        side: Side,
        price: Decimal,
        size: Decimal,
        kind: Kind,
        client: int,
        reduce_only: bool,
    ) -> Placed:
        """
        `place` for an account whose agent in the bank, for this exchange or for all programs, the sender is: a key or
        a program. Rejected "not an agent of the owner".
        """
        self.check_agent(owner)
        return self.place_order(owner, market, side, price, size, kind, client, reduce_only)

    @external(order="post_only")
    def post(self, market: int, side: Side, price: Decimal, size: Decimal, client: int) -> int:
        """Rest an order that trades with nobody now; its id. Rejected "post-only order would take"."""
        return self.post_order(tx.sender, market, side, price, size, client)

    @external(order="post_only")
    def post_for(self, owner: Account, market: int, side: Side, price: Decimal, size: Decimal, client: int) -> int:
        """`post` for an account whose agent the sender is, as `place_for`."""
        self.check_agent(owner)
        return self.post_order(owner, market, side, price, size, client)

    @external(order="cancel")
    def cancel(self, order: int) -> Decimal:
        """Take an own order out of the book; the size it had left. Rejected "unknown order", "not the owner"."""
        return self.cancel_order(tx.sender, order)

    @external(order="cancel")
    def cancel_for(self, owner: Account, order: int) -> Decimal:
        """`cancel` for an account whose agent the sender is, as `place_for`."""
        self.check_agent(owner)
        return self.cancel_order(owner, order)

    @external(order="cancel")
    def cancel_all(self, market: int, most: int) -> int:
        """
        Cancel the sender's orders in a market, newest first, up to `most` (at most CANCELS_MAX); how many. Ask again
        until 0.
        """
        require(most > 0, "most must be positive")
        book = self.market_at(market)
        return self.cancel_chain(book.contract, tx.sender, min(most, CANCELS_MAX), Cause.REQUESTED)

    @external
    def liquidate(self, market: int, account: Account) -> Decimal:
        """
        Close part of the position of an account below maintenance margin, through the book; the size traded.

        Anyone may ask, and the exchange itself does for flagged accounts. While the account has open orders here, a
        call only cancels LIQUIDATION_CANCELS_MAX of them; then as much is traded as clearing names, up to its worst
        price, against LIQUIDATION_FILLS_MAX orders; what the book does not take goes to insurance at the mark.
        """
        if block.time - self.swept > Duration.seconds(SWEEP_LATE_MS // 1000):
            self.next_sweep()
        return self.close_out(market, account)

    @hook
    def sweep(self, due: Timestamp) -> Outcome:
        """
        Every SWEEP_MS: one step for each flagged account, one account a batch, up to SWEPT_MAX of them.

        Where it begins depends on the height: an account at which it failed would not stand in the others' way.
        """
        flags = self.clearing.flags()
        if flags == 0 or self.turn >= SWEPT_MAX:
            self.turn = 0
            self.next_sweep()
            return DONE
        account = self.clearing.flagged_at((block.height + self.turn) % flags)
        self.turn += 1
        if account is not None:
            contract = self.clearing.largest(account)
            if contract not in self.market_of or not self.clearing.may_seize(account):
                self.clearing.flag(account)
            else:
                self.close_out(self.market_of[contract], account)
        return RETRY

    # ---- views

    @view
    def best(self, market: int) -> Best:
        book = self.market_at(market)
        zero = Decimal(0)
        bid = book.bids.first()
        ask = book.asks.first()
        bid_price = zero
        bid_size = zero
        ask_price = zero
        ask_size = zero
        if bid is not None:
            bid_price = book.tick * -bid
            bid_size = book.bids[bid].size
        if ask is not None:
            ask_price = book.tick * ask
            ask_size = book.asks[ask].size
        return Best(bid_price, bid_size, ask_price, ask_size)

    @view
    def mid(self, market: int) -> Decimal:
        """Mean of best bid and ask, half to even; Rejected "book is one-sided"."""
        book = self.market_at(market)
        bid = book.bids.first()
        ask = book.asks.first()
        if bid is None or ask is None:
            raise Rejected("book is one-sided")
        return book.tick * (ask - bid) / 2

    @view
    def book(self, market: int, side: Side, depth: int) -> BookLevel:
        """The level number `depth` from the best, 0 being the best, below DEPTH_MAX."""
        book = self.market_at(market)
        require(0 <= depth and depth < DEPTH_MAX, "depth out of range")
        if side == Side.BUY:
            return self.level_at(book.bids, book.tick, depth)
        return self.level_at(book.asks, book.tick, depth)

    @view
    def order(self, order: int) -> OrderState:
        """A resting order; Rejected "unknown order"."""
        resting = self.orders[self.slot_of(order)]
        price = self.markets[resting.market].tick * resting.ticks
        return OrderState(
            resting.owner, resting.market, resting.side, price, resting.size, resting.client, resting.reduces
        )

    @view
    def market(self, market: int) -> MarketState:
        book = self.market_at(market)
        return MarketState(book.contract, book.tick, book.lot, book.maker_fee, book.taker_fee, book.last)

    @view
    def market_count(self) -> int:
        """How many markets there are; their ids are 0 up to this."""
        return len(self.markets)

    # ---- what an account, or an agent for it, does

    def check_agent(self, owner: Account) -> None:
        require(self.clearing.acts_for(owner, tx.sender), "not an agent of the owner")

    def place_order(
        self,
        owner: Account,
        market: int,
        side: Side,
        price: Decimal,
        size: Decimal,
        kind: Kind,
        client: int,
        reduce_only: bool,
    ) -> Placed:
        book = self.market_at(market)
        ticks = 0
        limit = ANY_PRICE
        if kind != Kind.MARKET or price != 0:
            ticks = self.ticks_of(book, price)
            limit = limit_of(side, ticks)
        self.check_size(book, size)
        if reduce_only:
            size = self.reducible(book.contract, owner, side, size)
        slot = self.take_slot()
        order = self.next_id(slot)
        emit(Accepted(order, market, owner, side, price, size, client))
        taker = Taker(order, market, owner, side, limit, size, False, FILLS_MAX, self.hears(owner))
        taken = self.match_book(book, taker)
        remaining = taken.remaining
        if remaining > 0 and kind == Kind.LIMIT and not taken.stopped:
            self.rest(book, slot, taker.replace(size=remaining), price, ticks, client, reduce_only)
        else:
            self.give_back(slot)
            if remaining > 0:
                cause = Cause.FILL_LIMIT if taken.stopped else Cause.REMAINDER
                emit(Cancelled(order, market, owner, remaining, cause, side, price, False))
        return Placed(order, size - remaining, remaining, taken.notional)

    def post_order(self, owner: Account, market: int, side: Side, price: Decimal, size: Decimal, client: int) -> int:
        book = self.market_at(market)
        ticks = self.ticks_of(book, price)
        self.check_size(book, size)
        best = book.asks.first() if side == Side.BUY else book.bids.first()
        limit = limit_of(side, ticks)
        if best is not None:
            require(best > limit, "post-only order would take")
        slot = self.take_slot()
        order = self.next_id(slot)
        emit(Accepted(order, market, owner, side, price, size, client))
        taker = Taker(order, market, owner, side, limit, size, False, 0, self.hears(owner))
        self.rest(book, slot, taker, price, ticks, client, False)
        return order

    def cancel_order(self, owner: Account, order: int) -> Decimal:
        slot = self.slot_of(order)
        resting = self.orders[slot]
        require(resting.owner == owner, "not the owner")
        remaining = resting.size
        self.withdraw_order(slot, Cause.REQUESTED)
        return remaining

    # ---- checks

    def market_at(self, market: int) -> Market:
        require(0 <= market and market < len(self.markets), "unknown market")
        return self.markets[market]

    def ticks_of(self, market: Market, price: Decimal) -> int:
        require(price > 0, "price must be positive")
        require(price <= PRICE_MAX, "price is too large")
        ticks = price // market.tick
        require(ticks * market.tick == price, "price is not a multiple of the tick")
        require(ticks <= TICKS_MAX, "price is too large")
        return ticks.floor()

    def check_size(self, market: Market, size: Decimal) -> None:
        require(size > 0, "size must be positive")
        require(size <= SIZE_MAX, "size is too large")
        require(size % market.lot == 0, "size is not a multiple of the lot")

    def hears(self, owner: Account) -> bool:
        """Whether fills of the owner's orders are told: to programs that asked. Whoever signs himself is none."""
        return owner != tx.signer and hears_fills(owner)

    def reducible(self, contract: int, account: Account, side: Side, size: Decimal) -> Decimal:
        position = self.clearing.position(account, contract)
        most = -position.quantity if side == Side.BUY else position.quantity
        require(most > 0, "nothing to reduce")
        return min(size, most)

    def slot_of(self, order: int) -> int:
        slot = order % SLOTS
        require(order > 0 and 0 < slot and slot < len(self.orders), "unknown order")
        require(self.orders[slot].id == order, "unknown order")
        return slot

    # ---- matching

    def match_book(self, market: Market, taker: Taker) -> Taken:
        if taker.side == Side.BUY:
            return self.match_levels(market, market.asks, taker)
        return self.match_levels(market, market.bids, taker)

    def match_levels(self, market: Market, book: OrderedMap[int, Level], taker: Taker) -> Taken:
        remaining = taker.size
        notional = Decimal(0)
        met = 0
        while remaining > 0:
            best = book.first()
            if best is None:
                break
            if best > taker.limit:
                break
            if met >= taker.fills_max:
                return Taken(remaining, notional, True)
            price = market.tick * abs(best)
            level = book[best]
            remaining, worth, met = self.match_level(market, level, taker, price, remaining, met)
            notional += worth
            if level.head == 0:
                del book[best]
        return Taken(remaining, notional, False)

    def match_level(
        self, market: Market, level: Level, taker: Taker, price: Decimal, size: Decimal, met: int
    ) -> tuple[Decimal, Decimal, int]:
        """Trade with one level; the size left, the notional traded, and the resting orders met so far."""
        remaining = size
        total = Decimal(0)
        while remaining > 0 and level.head != 0 and met < taker.fills_max:
            slot = level.head
            maker = self.orders[slot]
            met += 1
            if maker.owner == taker.owner:
                self.drop(market, level, slot, Cause.SELF_TRADE)
                continue
            traded = min(remaining, maker.size)
            notional = traded * price
            verdict = self.fill(market, maker, taker, price, traded, notional)
            if verdict != Verdict.DONE:
                self.drop(market, level, slot, cause_of(verdict))
                continue
            remaining -= traded
            total += notional
            maker.size -= traded
            level.size -= traded
            if maker.size == 0:
                self.unlink(level, slot)
        if remaining != size:
            market.last = price
        return remaining, total, met

    def fill(
        self, market: Market, maker: Order, taker: Taker, price: Decimal, size: Decimal, notional: Decimal
    ) -> Verdict:
        taker_fee = mul_up(notional, market.taker_fee)
        maker_fee = mul_up(notional, market.maker_fee)
        newest = maker.older if size == maker.size and maker.newer == 0 else -1
        verdict = Verdict.DONE
        if taker.side == Side.BUY:
            verdict = self.clearing.fill(
                market.contract, taker.owner, maker.owner, size, price, taker_fee, maker_fee,
                Side.SELL, maker.reduces, taker.forced, newest,
            )  # fmt: skip
        else:
            verdict = self.clearing.fill(
                market.contract, maker.owner, taker.owner, size, price, maker_fee, taker_fee,
                Side.BUY, maker.reduces, taker.forced, newest,
            )  # fmt: skip
        if verdict == Verdict.DONE:
            emit(
                Filled(
                    taker.market,
                    maker.id,
                    taker.order,
                    maker.owner,
                    taker.owner,
                    taker.side,
                    price,
                    size,
                    maker_fee,
                    taker_fee,
                )
            )
            if maker.told:
                bought = taker.side == Side.SELL
                report_fill(maker.owner, taker.market, maker.id, bought, price, size, maker_fee)
            if taker.told:
                bought = taker.side == Side.BUY
                report_fill(taker.owner, taker.market, taker.order, bought, price, size, taker_fee)
        return verdict

    # ---- the book

    def rest(
        self, market: Market, slot: int, taker: Taker, price: Decimal, ticks: int, client: int, reduces: bool
    ) -> None:
        """Append what is left of an order to its level and tell clearing."""
        order = self.orders[slot]
        order.id = taker.order
        order.owner = taker.owner
        order.market = taker.market
        order.side = taker.side
        order.reduces = reduces
        order.ticks = ticks
        order.size = taker.size
        order.client = client
        order.told = taker.told
        order.next = 0
        order.newer = 0
        key = key_of(taker.side, ticks)
        if taker.side == Side.BUY:
            order.prev = self.append(market.bids.obtain(key), slot, taker.size)
        else:
            order.prev = self.append(market.asks.obtain(key), slot, taker.size)
        older = self.clearing.reserve(market.contract, taker.owner, taker.side, taker.size, slot)
        order.older = older
        if older != 0:
            neighbour = self.orders[older]
            neighbour.newer = slot
        emit(Rested(taker.order, taker.market, taker.owner, taker.side, price, taker.size))

    def append(self, level: Level, slot: int, size: Decimal) -> int:
        """Queue a slot at the end of a level; the slot before it."""
        last = level.tail
        if last == 0:
            level.head = slot
        else:
            before = self.orders[last]
            before.next = slot
        level.tail = slot
        level.count += 1
        level.size += size
        return last

    def drop(self, market: Market, level: Level, slot: int, cause: Cause) -> None:
        """Cancel a resting order; its level may be left empty."""
        order = self.orders[slot]
        newest = order.older if order.newer == 0 else -1
        self.clearing.release(market.contract, order.owner, order.side, order.size, newest)
        price = market.tick * order.ticks
        emit(Cancelled(order.id, order.market, order.owner, order.size, cause, order.side, price, True))
        level.size -= order.size
        self.unlink(level, slot)

    def unlink(self, level: Level, slot: int) -> None:
        """Take an order out of its level's queue and its owner's chain, and free its slot."""
        order = self.orders[slot]
        if level.head == slot:
            level.head = order.next
            if order.next == 0:
                level.tail = 0
        else:
            before = self.orders[order.prev]
            before.next = order.next
            if order.next == 0:
                level.tail = order.prev
            else:
                behind = self.orders[order.next]
                behind.prev = order.prev
        level.count -= 1
        if order.newer != 0:
            newer = self.orders[order.newer]
            newer.older = order.older
        if order.older != 0:
            older = self.orders[order.older]
            older.newer = order.newer
        order.id = 0
        order.next = self.free
        self.free = slot

    def withdraw_order(self, slot: int, cause: Cause) -> None:
        """Cancel a resting order and delete its level when it was the last there."""
        order = self.orders[slot]
        market = self.markets[order.market]
        key = key_of(order.side, order.ticks)
        if order.side == Side.BUY:
            self.drop_at(market, market.bids, key, slot, cause)
        else:
            self.drop_at(market, market.asks, key, slot, cause)

    def drop_at(self, market: Market, book: OrderedMap[int, Level], key: int, slot: int, cause: Cause) -> None:
        level = book[key]
        self.drop(market, level, slot, cause)
        if level.head == 0:
            del book[key]

    def cancel_chain(self, contract: int, account: Account, most: int, cause: Cause) -> int:
        slot = self.clearing.newest(account, contract)
        count = 0
        while slot != 0 and count < most:
            older = self.orders[slot].older
            self.withdraw_order(slot, cause)
            slot = older
            count += 1
        return count

    def level_at(self, book: OrderedMap[int, Level], tick: Decimal, depth: int) -> BookLevel:
        at = 0
        for key in book:
            if at == depth:
                level = book[key]
                return BookLevel(tick * abs(key), level.size, level.count)
            at += 1
        return BookLevel(Decimal(0), Decimal(0), 0)

    # ---- slots

    def take_slot(self) -> int:
        """A free slot, reserved for the order being placed."""
        slot = self.free
        if slot != 0:
            self.free = self.orders[slot].next
            return slot
        slot = len(self.orders)
        require(slot < SLOTS, "too many open orders")
        self.orders.add()
        return slot

    def give_back(self, slot: int) -> None:
        order = self.orders[slot]
        if order.next != self.free:
            order.next = self.free
        self.free = slot

    def next_id(self, slot: int) -> int:
        self.serial += 1
        return self.serial * SLOTS + slot

    # ---- liquidation

    def next_sweep(self) -> None:
        """Schedule a sweep; should sweeps ever have stopped, the next call of `liquidate` starts them again."""
        self.swept = block.time
        schedule(block.time + Duration.seconds(SWEEP_MS // 1000), self.sweep)

    def close_out(self, index: int, account: Account) -> Decimal:
        market = self.market_at(index)
        seizure = self.clearing.seize(market.contract, account)
        if self.cancel_chain(market.contract, account, LIQUIDATION_CANCELS_MAX, Cause.LIQUIDATION) > 0:
            return Decimal(0)
        side = Side.BUY if seizure.size > 0 else Side.SELL
        size = min(lots_up(abs(seizure.size), market.lot), seizure.most)
        order = self.next_id(0)
        emit(Accepted(order, index, account, side, Decimal(0), size, 0))
        limit = limit_of(side, self.ticks_inside(market, side, seizure.limit))
        told = hears_fills(account)
        taker = Taker(order, index, account, side, limit, size, True, LIQUIDATION_FILLS_MAX, told)
        taken = self.match_book(market, taker)
        if taken.remaining > 0:
            cause = Cause.FILL_LIMIT if taken.stopped else Cause.LIQUIDATION
            emit(Cancelled(order, index, account, taken.remaining, cause, side, Decimal(0), False))
        rest = Decimal(0) if taken.stopped else taken.remaining
        self.clearing.settle_seizure(market.contract, account, size - taken.remaining, rest)
        return size - taken.remaining

    def ticks_inside(self, market: Market, side: Side, price: Decimal) -> int:
        """The worst price in ticks not beyond `price`: rounded down to buy, up to sell, from 0 to TICKS_MAX."""
        bounded = max(Decimal(0), min(price, PRICE_MAX))
        ticks = bounded // market.tick
        if side == Side.SELL and ticks * market.tick < bounded:
            ticks += 1
        return min(ticks, Decimal(TICKS_MAX)).floor()


def cause_of(verdict: Verdict) -> Cause:
    match verdict:
        case Verdict.DONE:
            return Cause.REQUESTED
        case Verdict.MARGIN:
            return Cause.MARGIN
        case Verdict.REDUCE_ONLY:
            return Cause.REDUCE_ONLY
        case Verdict.HALTED:
            return Cause.HALTED


def lots_up(size: Decimal, lot: Decimal) -> Decimal:
    """The smallest multiple of the lot that is not below size."""
    over = size % lot
    return size if over == 0 else size - over + lot
