"""
Clearing: owns positions and cash, and knows no payoff. A contract is (program, series); the program says what a unit
is worth.

Cash is signed: a fill moves size * (price + paid) from buyer to seller, where `paid` is the sum of all that the
contract ever paid per unit. So what accounts hold, with the fees not yet collected, always sums to clearing's balance
in the bank; a payment is one addition for any number of holders; equity = cash + sum of quantity * (mark + paid),
rounded down. The instrument names a unit's new worth with each payment, so equity never counts one twice.

A contract ends by a last payment, its mark 0 from then on: by its instrument (finish), or by the admin once it could
not be valued for CLOSE_AFTER_MS (close_contract). What accounts still hold of it is cash in all but name, without risk
or fills; it becomes cash when somebody asks (redeem).

Margin is by execution: at each price of its feed a contract is valued in 17 worlds (world_of). The maintenance margin
of an account is, for each feed, its largest loss over the worlds, contracts of one feed netting, and feeds adding;
initial margin counts open orders on their worse side and is `initial_factor` times that. Losses round up, against the
account. At the end of every outermost call an account that opened needs equity >= initial; one that only reduced, >=
maintenance. What is left of the equity (the slack) is remembered, and each fill and order takes off it the most that
it can cost. So the slots are walked again only when that does not suffice, or when a mark, a risk or a factor has
changed since (a new era): who has slack left would pass.

Insurance is the account of clearing itself: it receives liquidation fees, takes over what the book cannot, and covers
what bankrupt accounts owe. While its equity is negative (the shortfall), withdrawals are paid in proportion balance /
(balance + shortfall), rounded down, the cut going to insurance: losses are socialised last, and on who leaves.
"""

from execution.lang import (
    DONE,
    RETRY,
    Account,
    Asset,
    Decimal,
    Duration,
    Event,
    Feed,
    List,
    Map,
    Optional,
    Outcome,
    Program,
    ProgramRef,
    Quote,
    Reason,
    Record,
    Rejected,
    Struct,
    Timestamp,
    World,
    at_end,
    block,
    div_down,
    div_up,
    emit,
    external,
    hook,
    mul_div_down,
    mul_down,
    mul_up,
    require,
    subscribe,
    tx,
    view,
)
from execution.programs.bank import Bank
from execution.programs.instrument import Instrument
from execution.programs.orders import Side, Verdict

VALUE_MAX = Decimal("100000000")
QUANTITY_MAX = Decimal("1000000000")
CONTRACTS_MAX: int = 256
POSITIONS_MAX: int = 16

WORLDS: int = 16
ORDINARY_WORLDS: int = 14
EXTREME_RANGE: int = 2
EXTREME_WEIGHT = Decimal("0.35")
RISK_FLOOR = Decimal("0.005")
VALUE_GAS: int = 20000
PRICE_RANGE = Decimal("0.05")
PRICE_RANGE_MAX = Decimal("0.45")
VOLATILITY_RANGE = Decimal("0.3")
INITIAL_FACTOR = Decimal("1.25")
INITIAL_FACTOR_MAX = Decimal(2)
MARK_AGE_MS: int = 60000
CLOSE_AFTER_MS: int = 86400000

REVALUED_PER_HOOK: int = 3
SCAN_WORK: int = 6000
SCAN_WORK_BESIDE: int = 1500
FLAG_WORK: int = 300
FLAGS_SEEN_MAX: int = 256
LIQUIDATION_FEE = Decimal("0.005")
UNWIND_RANGE = Decimal("0.01")
OUTAGE_MS: int = 10000
GRACE_MS_MAX: int = 60000


class Listing(Struct):
    program: Account
    series: int


class Contract(Record):
    """
    venue: the exchange that may fill it. mark: value of a unit in world 0. paid: sum of payments per unit long.

    moves: change of a unit's value in worlds 1..WORLDS, the extreme ones weighted. long_risk, short_risk: the largest
    loss of a unit long or short, at least `floor`. open_interest: sum of the long quantities. fees: not yet
    collected. finished: for good; then halted, mark and all risk are 0.
    """

    instrument: ProgramRef[Instrument]
    series: int
    feed: Feed
    venue: Account
    fee_account: Account
    mark: Decimal
    paid: Decimal
    long_risk: Decimal
    short_risk: Decimal
    floor: Decimal
    marked: Timestamp
    halted: bool
    open_interest: Decimal
    fees: Decimal
    moves: List[Decimal]
    finished: bool


class Group(Record):
    """Contracts that follow one feed. next: how far the revaluation for the quote of `priced` has come."""

    contracts: List[int]
    price_range: Decimal
    volatility_range: Decimal
    priced: Timestamp
    next: int


class Ledger(Record):
    """
    An account. head: first of its slots, 0 for none; count: how many.

    slack: while `era` is that of clearing, equity less initial margin is at least this.
    """

    cash: Decimal
    slack: Decimal
    head: int
    count: int
    era: int


class Slot(Record):
    """
    An account's position in a contract; slots of one account are chained, those of one feed in a row.

    joined: the next slot is of the same feed. buying, selling: size of open orders. newest: the exchange's own word
    about the account's open orders in this contract.
    """

    contract: int
    next: int
    joined: bool
    quantity: Decimal
    buying: Decimal
    selling: Decimal
    newest: int


class Position(Struct):
    """
    quantity: signed units. buying, selling: size of open orders. entry sums are the cash's business, not kept here.
    """

    quantity: Decimal
    buying: Decimal
    selling: Decimal


class Margin(Struct):
    initial: Decimal
    maintenance: Decimal


class Seizure(Struct):
    """size: to trade, negative sells. limit: the worst price. most: the position, without sign."""

    size: Decimal
    limit: Decimal
    most: Decimal


class Deposited(Event):
    account: Account
    amount: Decimal


class CashWithdrawn(Event):
    """cut: part of amount kept for the shortfall."""

    account: Account
    amount: Decimal
    cut: Decimal


class Listed(Event):
    contract: int
    program: Account
    series: int
    feed: Feed


class Marked(Event):
    contract: int
    mark: Decimal
    long_risk: Decimal
    short_risk: Decimal


class Halted(Event):
    contract: int
    cause: Reason


class Paid(Event):
    """total: of all payments per unit. mark: worth of a unit from now on."""

    contract: int
    per_unit: Decimal
    total: Decimal
    mark: Decimal


class Finished(Event):
    """price: the last payment per unit. total: of all payments per unit. closed: by the admin."""

    contract: int
    price: Decimal
    total: Decimal
    closed: bool


class Redeemed(Event):
    """quantity: signed units of a finished contract that left the account. amount: booked to its cash."""

    contract: int
    account: Account
    quantity: Decimal
    amount: Decimal


class Collected(Event):
    contract: int
    amount: Decimal


class Flagged(Event):
    account: Account
    equity: Decimal
    maintenance: Decimal


class Liquidated(Event):
    """closed: traded in the book; absorbed: taken over by insurance at the mark; fee: to insurance."""

    contract: int
    account: Account
    closed: Decimal
    absorbed: Decimal
    fee: Decimal


class Bankrupt(Event):
    """deficit: what the account owed, covered by insurance; shortfall: of the insurance after that."""

    account: Account
    deficit: Decimal
    shortfall: Decimal


def world_of(number: int, price_range: Decimal, volatility_range: Decimal) -> World:
    """
    Scenario 1..16, in the manner of CME SPAN.

    1..14: price unchanged, +-1/3, +-2/3, +-3/3 of the range, each with volatility up (odd numbers) and down (even);
    15, 16: price up and down by EXTREME_RANGE ranges, of whose moves EXTREME_WEIGHT counts.
    """
    if number > ORDINARY_WORLDS:
        far = price_range * EXTREME_RANGE
        return World(number, 1 + far if number == ORDINARY_WORLDS + 1 else 1 - far, Decimal(1), Duration.seconds(0))
    place = (number - 1) // 2
    step = price_range * ((place + 1) // 2) / 3
    price = 1 + step if place % 2 == 1 else 1 - step
    volatility = 1 + volatility_range if number % 2 == 1 else 1 - volatility_range
    return World(number, price, volatility, Duration.seconds(0))


def is_reduction(before: Decimal, after: Decimal) -> bool:
    """Nearer to zero, on the same side."""
    if before > 0:
        return 0 <= after and after < before
    return before < 0 and before < after and after <= 0


class Clearing(Program):
    """
    admin: lists contracts, admits exchanges, sets risk parameters. asset: all cash is in it. era: counts what makes
    every account's slack unknown.
    """

    bank: ProgramRef[Bank]
    asset: Asset
    admin: Account
    initial_factor: Decimal
    mark_age: Duration
    grace: Timestamp
    covered: Decimal
    era: int
    contracts: List[Contract]
    listings: Map[Listing, int]
    groups: Map[Feed, Group]
    exchanges: Map[Account, bool]
    accounts: Map[Account, Ledger]
    slots: List[Slot]
    flagged: Map[Account, Timestamp]
    cursor: Optional[Account]

    def create(self, bank: ProgramRef[Bank], asset: Asset, admin: Account) -> None:
        self.bank = bank
        self.asset = asset
        self.admin = admin
        self.initial_factor = INITIAL_FACTOR
        self.mark_age = Duration.seconds(MARK_AGE_MS // 1000)
        self.era = 1
        self.slots.add()
        self.accounts.create(self.me)

    # ---- cash

    @external
    def deposit(self, amount: Decimal) -> None:
        """Pull the sender's money out of the bank, by the consent given there, into its cash."""
        require(amount > 0, "amount must be positive")
        self.bank.pull(tx.sender, self.asset, amount)
        ledger = self.accounts.obtain(tx.sender)
        ledger.cash += amount
        emit(Deposited(tx.sender, amount))

    @external
    def withdraw(self, amount: Decimal) -> Decimal:
        """
        Pay cash out into the bank; what is left must carry the initial margin. Returns what was paid, less only in a
        shortfall.
        """
        require(amount > 0, "amount must be positive")
        require(tx.sender in self.accounts, "no cash")
        ledger = self.accounts[tx.sender]
        equity, risk = self.assess(ledger, True)
        require(equity - amount >= mul_up(risk, self.initial_factor), "initial margin")
        ledger.cash -= amount
        self.covers(ledger, -amount)
        paid = amount
        missing = self.missing()
        if missing > 0:
            there = self.bank.balance(self.me, self.asset)
            paid = mul_div_down(amount, there, there + missing)
            insurance = self.accounts[self.me]
            insurance.cash += amount - paid
        if paid > 0:
            self.bank.transfer(self.asset, tx.sender, paid)
        emit(CashWithdrawn(tx.sender, amount, amount - paid))
        return paid

    @external
    def fund_insurance(self, amount: Decimal) -> None:
        """A gift to insurance, pulled like a deposit."""
        require(amount > 0, "amount must be positive")
        self.bank.pull(tx.sender, self.asset, amount)
        insurance = self.accounts[self.me]
        insurance.cash += amount
        emit(Deposited(self.me, amount))

    @external
    def collect(self, contract: int) -> Decimal:
        """Book the contract's fees to its fee account's cash. Anyone may ask."""
        terms = self.terms_of(contract)
        amount = terms.fees
        if amount != 0:
            terms.fees = Decimal(0)
            ledger = self.accounts.obtain(terms.fee_account)
            ledger.cash += amount
            self.covers(ledger, amount)
            emit(Collected(contract, amount))
        return amount

    # ---- contracts

    @external
    def list(self, program: ProgramRef[Instrument], series: int, feed: Feed) -> int:
        """A new contract of a series, revalued with its feed; halted until its first valuation. Admin only."""
        require(tx.sender == self.admin, "not authorised")
        listing = Listing(program.me, series)
        require(listing not in self.listings, "already listed")
        contract = len(self.contracts)
        require(contract < CONTRACTS_MAX, "too many contracts")
        terms = self.contracts.add()
        terms.instrument = program
        terms.series = series
        terms.feed = feed
        terms.halted = True
        for _ in range(WORLDS):
            terms.moves.append(Decimal(0))
        self.listings[listing] = contract
        if feed not in self.groups:
            group = self.groups.create(feed)
            group.price_range = PRICE_RANGE
            group.volatility_range = VOLATILITY_RANGE
            subscribe(feed, self.on_price)
        self.groups[feed].contracts.append(contract)
        emit(Listed(contract, program.me, series, feed))
        return contract

    @external
    def configure(self, feed: Feed, price_range: Decimal, volatility_range: Decimal) -> None:
        """How far the worlds of a feed go, as fractions; in force from its next price. Admin only."""
        require(tx.sender == self.admin, "not authorised")
        require(feed in self.groups, "no contract follows this feed")
        require(price_range > 0 and price_range <= PRICE_RANGE_MAX, "price range out of range")
        require(volatility_range >= 0 and volatility_range < 1, "volatility range out of range")
        group = self.groups[feed]
        group.price_range = price_range
        group.volatility_range = volatility_range

    @external
    def set_margin(self, initial_factor: Decimal, mark_age: Duration) -> None:
        """
        initial / maintenance margin; and how old a mark may be before its contract is closed for opening. Admin only.
        """
        require(tx.sender == self.admin, "not authorised")
        require(initial_factor >= 1 and initial_factor <= INITIAL_FACTOR_MAX, "initial factor out of range")
        require(mark_age.ms > 0, "mark age must be positive")
        self.initial_factor = initial_factor
        self.mark_age = mark_age
        self.era += 1

    @external
    def admit(self, exchange: Account) -> None:
        """Let an exchange claim contracts. Admin only."""
        require(tx.sender == self.admin, "not authorised")
        self.exchanges[exchange] = True

    @external
    def claim(self, contract: int, fee_account: Account) -> None:
        """An admitted exchange becomes the venue of a contract that has none: only it fills it from now on."""
        require(tx.sender in self.exchanges, "exchange is not admitted")
        terms = self.terms_of(contract)
        require(terms.venue == Account.zero(), "contract has a venue")
        terms.venue = tx.sender
        terms.fee_account = fee_account

    @external
    def pay(self, series: int, per_unit: Decimal, worth: Decimal) -> None:
        """
        Each unit long receives per_unit, each unit short pays it, and a unit is worth `worth` from now on; called by
        the instrument.

        Exact: equity moves at once by per_unit + worth - mark for each unit. Funding leaves the worth as it is, a
        coupon takes its amount off it. The risk stays that of the last valuation; the next price values anew.
        """
        contract = self.listed(series)
        terms = self.contracts[contract]
        require(not terms.finished, "contract is finished")
        total = terms.paid + per_unit
        require(abs(total) <= VALUE_MAX, "payment out of range")
        require(abs(worth) <= VALUE_MAX, "value out of range")
        terms.paid = total
        terms.mark = worth
        self.era += 1
        emit(Paid(contract, per_unit, total, worth))

    @external
    def finish(self, series: int, per_unit: Decimal) -> None:
        """The last payment of a series, which ends its contract at that price; called by the instrument."""
        self.end(self.listed(series), per_unit, False)

    @external
    def close_contract(self, contract: int, price: Decimal) -> None:
        """
        End a contract whose valuation fails for good: every position is settled at `price` per unit. Admin only.

        Rejected unless its last good valuation is CLOSE_AFTER_MS old (or there never was one), and another one fails
        now.
        """
        require(tx.sender == self.admin, "not authorised")
        terms = self.terms_of(contract)
        require(not terms.finished, "contract is finished")
        require(block.time - terms.marked >= Duration.seconds(CLOSE_AFTER_MS // 1000), "valued too recently")
        require(not self.revalue(contract, False), "contract can be valued")
        self.end(contract, price, True)

    @external
    def redeem(self, contract: int, account: Account) -> Decimal:
        """
        Turn what the account holds of a finished contract into cash; how much. Anyone may ask, equity stays the same.

        Rounded down, the remainder to insurance, which takes the units over at what they were paid. Equity and margin
        do not depend on it; it frees one of the account's POSITIONS_MAX places.
        """
        require(self.terms_of(contract).finished, "contract is not finished")
        require(account != self.me, "insurance redeems by others")
        if account not in self.accounts:
            return Decimal(0)
        ledger = self.accounts[account]
        return self.redeem_slot(account, ledger, self.slot_of(ledger, contract))

    @external
    def reprice(self, contract: int) -> None:
        """Value the contract anew, as its feed's prices do. Anyone may ask; Rejected when a valuation fails."""
        require(not self.terms_of(contract).finished, "contract is finished")
        require(self.revalue(contract, False), "valuation failed")

    # ---- what the venue reports

    @external
    def fill(
        self,
        contract: int,
        buyer: Account,
        seller: Account,
        size: Decimal,
        price: Decimal,
        buyer_fee: Decimal,
        seller_fee: Decimal,
        resting: Side,
        reduces: bool,
        forced: bool,
        newest: int,
    ) -> Verdict:
        """
        Move size units from seller to buyer at price, and both fees (a rebate is negative) to the contract's fees.

        resting: whose order rested; its open size shrinks and its account must carry the result, or the answer is not
        DONE and nothing has changed. reduces: the resting order may only reduce. forced: the incoming side is being
        liquidated, and not checked at the end. newest: see `reserve`, for the resting side; -1 leaves it.
        """
        terms = self.terms_of(contract)
        require(tx.sender == terms.venue, "not the venue of this contract")
        require(buyer != seller, "buyer is seller")
        require(size > 0 and size <= QUANTITY_MAX, "size out of range")
        require(abs(price) <= VALUE_MAX, "price out of range")
        cost = size * (price + terms.paid)
        if not self.is_open(terms):
            require(not terms.finished, "contract is finished")
            if resting == Side.BUY:
                require(self.would_reduce(seller, contract, -size), "contract is halted")
            else:
                require(self.would_reduce(buyer, contract, size), "contract is halted")
        if resting == Side.BUY:
            verdict = self.fill_resting(contract, terms, buyer, size, -cost - buyer_fee, reduces, newest)
            if verdict == Verdict.DONE:
                self.fill_incoming(contract, terms, seller, -size, cost - seller_fee, forced)
        else:
            verdict = self.fill_resting(contract, terms, seller, -size, cost - seller_fee, reduces, newest)
            if verdict == Verdict.DONE:
                self.fill_incoming(contract, terms, buyer, size, -cost - buyer_fee, forced)
        if verdict == Verdict.DONE:
            terms.fees += buyer_fee + seller_fee
        return verdict

    @external(order="post_only")
    def reserve(self, contract: int, account: Account, side: Side, size: Decimal, newest: int) -> int:
        """
        An order of `size` rests now: it counts in the initial margin, checked at the end of the call.

        newest: a word the venue keeps here per account and contract (its newest open order); returns the one before.
        """
        terms = self.terms_of(contract)
        require(tx.sender == terms.venue, "not the venue of this contract")
        ledger = self.accounts.obtain(account)
        slot = self.slots[self.take_slot(ledger, contract, True)]
        if side == Side.BUY:
            slot.buying += size
            require(slot.buying <= QUANTITY_MAX, "open orders are too large")
            opening = slot.quantity + slot.buying > 0
        else:
            slot.selling += size
            require(slot.selling <= QUANTITY_MAX, "open orders are too large")
            opening = slot.quantity - slot.selling < 0
        if opening:
            require(self.is_open(terms), "contract is halted")
        else:
            require(not terms.finished, "contract is finished")
        if not self.covers(ledger, -self.burden(terms, size)):
            self.check_later(account, opening)
        before = slot.newest
        slot.newest = newest
        return before

    @external(order="cancel")
    def release(self, contract: int, account: Account, side: Side, size: Decimal, newest: int) -> None:
        """An order's `size` rests no more. newest: see `reserve`; -1 leaves it."""
        terms = self.terms_of(contract)
        require(tx.sender == terms.venue, "not the venue of this contract")
        slot = self.slots[self.slot_of(self.accounts[account], contract)]
        if side == Side.BUY:
            slot.buying -= size
        else:
            slot.selling -= size
        if newest >= 0:
            slot.newest = newest

    @external
    def seize(self, contract: int, account: Account) -> Seizure:
        """
        What of the account's position the venue is to close now, and at which worst price.

        An account below maintenance margin: as much as brings it back to initial margin at the mark, at a price no
        worse than the mark by a unit's margin or by the equity left per unit, whichever is less: so nobody can be
        sold a position cheaply at insurance's cost. Insurance itself: all it took over, within UNWIND_RANGE of the
        mark.
        """
        terms = self.terms_of(contract)
        require(tx.sender == terms.venue, "not the venue of this contract")
        require(self.is_open(terms), "contract is halted")
        require(account in self.accounts, "no position")
        ledger = self.accounts[account]
        index = self.slot_of(ledger, contract)
        quantity = self.slots[index].quantity
        require(index != 0 and quantity != 0, "no position")
        if account == self.me:
            room = abs(terms.mark) * UNWIND_RANGE
            return Seizure(-quantity, terms.mark - room if quantity > 0 else terms.mark + room, abs(quantity))
        require(block.time >= self.grace, "grace after an outage")
        equity, risk = self.assess(ledger, False)
        require(equity < risk, "account is healthy")
        unit = terms.long_risk if quantity > 0 else terms.short_risk
        size = abs(quantity)
        freed = unit * self.initial_factor - mul_up(abs(terms.mark), LIQUIDATION_FEE)
        need = risk * self.initial_factor - equity
        if freed > 0 and need < mul_down(size, freed):
            size = min(size, div_up(need, freed))
        room = max(min(unit, div_down(equity, abs(quantity))), Decimal(0))
        if quantity > 0:
            return Seizure(-size, terms.mark - room, quantity)
        return Seizure(size, terms.mark + room, -quantity)

    @external
    def settle_seizure(self, contract: int, account: Account, closed: Decimal, rest: Decimal) -> None:
        """
        After a seizure: closed traded in the book, rest found no price there.

        The rest goes to insurance at the mark if the account is still below maintenance margin. The fee,
        LIQUIDATION_FEE of the notional at the mark rounded up, goes to insurance, as far as the account's equity
        reaches. An account left without positions and with negative equity is covered by insurance. Cannot fail for a
        seized account.
        """
        terms = self.terms_of(contract)
        require(tx.sender == terms.venue, "not the venue of this contract")
        if account != self.me:
            ledger = self.accounts[account]
            insurance = self.accounts[self.me]
            absorbed = self.absorb(contract, terms, ledger, insurance, rest)
            equity, _risk = self.assess(ledger, False)
            fee = mul_up(mul_up(closed + absorbed, abs(terms.mark)), LIQUIDATION_FEE)
            fee = max(min(fee, equity), Decimal(0))
            ledger.cash -= fee
            self.covers(ledger, -fee)
            insurance.cash += fee
            emit(Liquidated(contract, account, closed, absorbed, fee))
            if equity < 0 and not self.has_positions(ledger):
                self.cover(account, ledger, insurance)
            if absorbed > 0:
                self.review(self.me)
        self.review(account)

    @external
    def flag(self, account: Account) -> bool:
        """
        Look at an account now; whether it is below maintenance margin. One that owes and has no positions left to
        liquidate, as a contract's end can make it, is covered by insurance.
        """
        require(account in self.accounts, "unknown account")
        below = self.review(account)
        if not below or account == self.me:
            return below
        ledger = self.accounts[account]
        if self.has_positions(ledger):
            return True
        self.cover(account, ledger, self.accounts[self.me])
        return self.review(account)

    # ---- hooks

    @hook
    def on_price(self, quote: Quote) -> Outcome:
        """Revalue the feed's contracts, then look for accounts below maintenance margin, a bounded piece at a time."""
        if block.gap.ms > OUTAGE_MS:
            self.grace = block.time + Duration.seconds(min(block.gap.ms, GRACE_MS_MAX) // 1000)
        group = self.groups[quote.feed]
        if group.priced < quote.time:
            group.priced = quote.time
            group.next = 0
            if self.cursor is None:
                self.cursor = self.accounts.first()
        steps = 0
        while group.next < len(group.contracts) and steps < REVALUED_PER_HOOK:
            contract = group.contracts[group.next]
            group.next += 1
            steps += 1
            self.revalue(contract, True)
        if group.next < len(group.contracts):
            return RETRY
        return DONE if self.scan(SCAN_WORK if steps == 0 else SCAN_WORK_BESIDE) else RETRY

    # ---- views

    @view
    def equity(self, account: Account) -> Decimal:
        """Cash and the worth of all positions at their marks, rounded down; 0 for an unknown account."""
        if account not in self.accounts:
            return Decimal(0)
        equity, _risk = self.assess(self.accounts[account], False)
        return equity

    @view
    def margin(self, account: Account) -> Margin:
        """initial counts open orders, maintenance does not."""
        if account not in self.accounts:
            return Margin(Decimal(0), Decimal(0))
        _equity, resting = self.assess(self.accounts[account], True)
        _same, risk = self.assess(self.accounts[account], False)
        return Margin(mul_up(resting, self.initial_factor), risk)

    @view
    def position(self, account: Account, contract: int) -> Position:
        self.terms_of(contract)
        if account not in self.accounts:
            return Position(Decimal(0), Decimal(0), Decimal(0))
        slot = self.slots[self.slot_of(self.accounts[account], contract)]
        return Position(slot.quantity, slot.buying, slot.selling)

    @view
    def cash(self, account: Account) -> Decimal:
        """Cash with all payments received so far, rounded down."""
        if account not in self.accounts:
            return Decimal(0)
        ledger = self.accounts[account]
        cash = ledger.cash
        index = ledger.head
        while index != 0:
            slot = self.slots[index]
            cash += mul_down(slot.quantity, self.contracts[slot.contract].paid)
            index = slot.next
        return cash

    @view
    def acts_for(self, owner: Account, agent: Account) -> bool:
        """
        Whether the bank knows the agent as one of the owner (or it is the owner) for calls of the sender, an exchange.
        """
        return self.bank.may_act(owner, agent, tx.sender, block.time)

    @view
    def contract_count(self) -> int:
        """How many contracts are listed; they are numbered from 0."""
        return len(self.contracts)

    @view
    def mark(self, contract: int) -> Decimal:
        """The last good valuation; Rejected "no mark" before the first."""
        terms = self.terms_of(contract)
        require(terms.marked.ms > 0, "no mark")
        return terms.mark

    @view
    def is_halted(self, contract: int) -> bool:
        """Whether nobody may open: the last valuation failed, its mark is too old, or it is finished."""
        return not self.is_open(self.terms_of(contract))

    @view
    def is_finished(self, contract: int) -> bool:
        """Whether the contract has ended: no fills, no risk, a mark of 0."""
        return self.terms_of(contract).finished

    @view
    def liquidatable(self, account: Account) -> bool:
        if account not in self.accounts:
            return False
        equity, risk = self.assess(self.accounts[account], False)
        return equity < risk

    @view
    def may_seize(self, account: Account) -> bool:
        """
        Whether `seize` may answer now: below maintenance margin and not in the grace after an outage; insurance
        always.
        """
        if account not in self.accounts:
            return False
        if account == self.me:
            return True
        equity, risk = self.assess(self.accounts[account], False)
        return equity < risk and block.time >= self.grace

    @view
    def largest(self, account: Account) -> int:
        """The contract whose position alone is most at risk, -1 when there is none: where to start a liquidation."""
        found = -1
        if account not in self.accounts:
            return found
        most = Decimal(-1)
        index = self.accounts[account].head
        while index != 0:
            slot = self.slots[index]
            if slot.quantity != 0:
                terms = self.contracts[slot.contract]
                danger = self.danger(terms, slot.quantity, slot.quantity)
                if danger > most and self.is_open(terms) and terms.venue != Account.zero():
                    most = danger
                    found = slot.contract
            index = slot.next
        return found

    @view
    def flags(self) -> int:
        """How many accounts are flagged."""
        return len(self.flagged)

    @view
    def flagged_at(self, skip: int) -> Optional[Account]:
        """The flagged account after `skip` others, of the first FLAGS_SEEN_MAX."""
        passed = 0
        for account in self.flagged:
            if passed == skip:
                return account
            passed += 1
            if passed >= FLAGS_SEEN_MAX:
                return None
        return None

    @view
    def newest(self, account: Account, contract: int) -> int:
        """The venue's word about the account's open orders; 0 before the first."""
        self.terms_of(contract)
        if account not in self.accounts:
            return 0
        return self.slots[self.slot_of(self.accounts[account], contract)].newest

    @view
    def shortfall(self) -> Decimal:
        """What insurance owes beyond what it has; 0 in good times."""
        return self.missing()

    # ---- filling

    def fill_resting(
        self,
        contract: int,
        terms: Contract,
        account: Account,
        size: Decimal,
        cash: Decimal,
        reduces: bool,
        newest: int,
    ) -> Verdict:
        ledger = self.accounts[account]
        slot = self.slots[self.slot_of(ledger, contract)]
        before = slot.quantity
        after = before + size
        if not is_reduction(before, after):
            if reduces:
                return Verdict.REDUCE_ONLY
            if not self.is_open(terms):
                return Verdict.HALTED
        slot.quantity = after
        ledger.cash += cash
        if not self.covers(ledger, cash + mul_down(size, terms.mark + terms.paid)) and not self.reaches(ledger, False):
            slot.quantity = before
            ledger.cash -= cash
            ledger.era = 0
            return Verdict.MARGIN
        if size > 0:
            slot.buying -= size
        else:
            slot.selling += size
        if newest >= 0:
            slot.newest = newest
        terms.open_interest += max(after, Decimal(0)) - max(before, Decimal(0))
        return Verdict.DONE

    def fill_incoming(
        self, contract: int, terms: Contract, account: Account, size: Decimal, cash: Decimal, forced: bool
    ) -> None:
        ledger = self.accounts.obtain(account)
        slot = self.slots[self.take_slot(ledger, contract, True)]
        before = slot.quantity
        after = before + size
        slot.quantity = after
        ledger.cash += cash
        terms.open_interest += max(after, Decimal(0)) - max(before, Decimal(0))
        worth = mul_down(size, terms.mark + terms.paid)
        covered = self.covers(ledger, cash + worth - self.burden(terms, abs(size)))
        if not forced:
            opening = not is_reduction(before, after)
            if opening:
                require(terms.open_interest <= QUANTITY_MAX, "open interest limit")
            if not covered:
                self.check_later(account, opening)

    def would_reduce(self, account: Account, contract: int, size: Decimal) -> bool:
        if account not in self.accounts:
            return False
        quantity = self.slots[self.slot_of(self.accounts[account], contract)].quantity
        return is_reduction(quantity, quantity + size)

    def check_later(self, account: Account, opening: bool) -> None:
        if opening:
            at_end(self.check_initial, account)
        else:
            at_end(self.check_margin, account)

    def check_initial(self, account: Account) -> None:
        """At the end of the outermost call, for an account that took on risk in it."""
        require(self.reaches(self.accounts[account], True), "initial margin")

    def check_margin(self, account: Account) -> None:
        """At the end of the outermost call, for an account that reduced its risk in it, or rested an order that may."""
        require(self.reaches(self.accounts[account], False), "maintenance margin")

    # ---- margin

    def covers(self, ledger: Ledger, change: Decimal) -> bool:
        """
        Whether the account surely has its initial margin, after a change of equity less initial margin by `change` at
        least.
        """
        if ledger.era != self.era:
            return False
        slack = ledger.slack + change
        ledger.slack = slack
        return slack >= 0

    def burden(self, terms: Contract, size: Decimal) -> Decimal:
        """The most by which `size` more units, long or short, raise an account's initial margin."""
        return mul_up(mul_up(size, max(terms.long_risk, terms.short_risk)), self.initial_factor)

    def reaches(self, ledger: Ledger, initial: bool) -> bool:
        """Whether equity reaches the initial margin, or else (unless `initial`) the maintenance margin."""
        equity, resting = self.assess(ledger, True)
        slack = equity - mul_up(resting, self.initial_factor)
        ledger.slack = slack
        ledger.era = self.era
        if slack >= 0 or initial:
            return slack >= 0
        equity, risk = self.assess(ledger, False)
        return equity >= risk

    def assess(self, ledger: Ledger, resting: bool) -> tuple[Decimal, Decimal]:
        """Equity, and the largest loss over the worlds; with `resting`, open orders count on their worse side."""
        equity = ledger.cash
        risk = Decimal(0)
        index = ledger.head
        while index != 0:
            slot = self.slots[index]
            if slot.joined:
                worth, loss, index = self.assess_group(index, resting)
                equity += worth
                risk += loss
            else:
                terms = self.contracts[slot.contract]
                high = slot.quantity
                low = high
                if high != 0:
                    equity += mul_down(high, terms.mark + terms.paid)
                if resting:
                    high += slot.buying
                    low -= slot.selling
                risk += self.danger(terms, high, low)
                index = slot.next
        return equity, risk

    def danger(self, terms: Contract, high: Decimal, low: Decimal) -> Decimal:
        """The largest loss of a position that may end anywhere from low to high."""
        if terms.long_risk == terms.short_risk:
            return mul_up(max(high, -low, Decimal(0)), terms.long_risk)
        loss = Decimal(0)
        if high > 0:
            loss = mul_up(high, terms.long_risk)
        if low < 0:
            loss = max(loss, mul_up(-low, terms.short_risk))
        return loss

    def assess_group(self, first: int, resting: bool) -> tuple[Decimal, Decimal, int]:
        """
        Worth and largest common loss of a row of slots of one feed, at least the sum of their floors; and the slot
        after it.
        """
        worth = Decimal(0)
        worst = Decimal(0)
        index = first
        more = True
        while more:
            slot = self.slots[index]
            terms = self.contracts[slot.contract]
            worth += mul_down(slot.quantity, terms.mark + terms.paid)
            high, low = self.reach(slot, resting)
            worst += mul_up(max(abs(high), abs(low)), terms.floor)
            more = slot.joined
            index = slot.next
        for world in range(WORLDS):
            worst = max(worst, self.group_loss(first, world, resting))
        return worth, worst, index

    def group_loss(self, first: int, world: int, resting: bool) -> Decimal:
        loss = Decimal(0)
        index = first
        more = True
        while more:
            slot = self.slots[index]
            move = self.contracts[slot.contract].moves[world]
            high, low = self.reach(slot, resting)
            loss += mul_up(high, -move) if move < 0 else mul_up(-low, move)
            more = slot.joined
            index = slot.next
        return loss

    def reach(self, slot: Slot, resting: bool) -> tuple[Decimal, Decimal]:
        """The highest and the lowest quantity the slot can come to."""
        if resting:
            return slot.quantity + slot.buying, slot.quantity - slot.selling
        return slot.quantity, slot.quantity

    # ---- valuation

    def terms_of(self, contract: int) -> Contract:
        require(0 <= contract and contract < len(self.contracts), "unknown contract")
        return self.contracts[contract]

    def is_open(self, terms: Contract) -> bool:
        return not terms.halted and block.time - terms.marked <= self.mark_age

    def revalue(self, contract: int, halting: bool) -> bool:
        """
        Ask the program in all worlds. On any failure the marks stay, the answer is False, and the contract halts if
        `halting`.
        """
        terms = self.contracts[contract]
        group = self.groups[terms.feed]
        base = Decimal(0)
        gain = Decimal(0)
        loss = Decimal(0)
        try:
            base = terms.instrument.value(terms.series, gas=VALUE_GAS)
            require(abs(base) <= VALUE_MAX, "value out of range")
            for number in range(1, WORLDS + 1):
                world = world_of(number, group.price_range, group.volatility_range)
                shocked = terms.instrument.value(terms.series, gas=VALUE_GAS, world=world)
                require(abs(shocked) <= VALUE_MAX, "value out of range")
                move = shocked - base
                if number > ORDINARY_WORLDS:
                    move = move * EXTREME_WEIGHT
                terms.moves[number - 1] = move
                gain = max(gain, move)
                loss = max(loss, -move)
        except Rejected as refusal:
            if halting and not terms.halted:
                terms.halted = True
                emit(Halted(contract, refusal.reason))
            return False
        terms.mark = base
        terms.floor = mul_up(abs(base), RISK_FLOOR)
        terms.long_risk = max(loss, terms.floor)
        terms.short_risk = max(gain, terms.floor)
        self.era += 1
        terms.marked = block.time
        terms.halted = False
        emit(Marked(contract, base, terms.long_risk, terms.short_risk))
        return True

    def scan(self, most: int) -> bool:
        """
        Review accounts from the cursor on; whether the round is complete.

        most: work to do, an account counting 1, each of its slots 1, a change of its flag FLAG_WORK.
        """
        current = self.cursor
        work = 0
        while work < most:
            if current is None:
                break
            flags = len(self.flagged)
            self.review(current)
            work += 1 + self.accounts[current].count
            if len(self.flagged) != flags:
                work += FLAG_WORK
            current = self.accounts.after(current)
        self.cursor = current
        return current is None

    def review(self, account: Account) -> bool:
        """Flag or unflag. Insurance is flagged while it holds positions."""
        ledger = self.accounts[account]
        if account == self.me:
            needed = self.has_positions(ledger)
        else:
            equity, risk = self.assess(ledger, False)
            needed = equity < risk
            if needed and account not in self.flagged:
                emit(Flagged(account, equity, risk))
        if needed and account not in self.flagged:
            self.flagged[account] = block.time
        elif not needed and account in self.flagged:
            del self.flagged[account]
        return needed

    # ---- insurance

    def absorb(self, contract: int, terms: Contract, ledger: Ledger, insurance: Ledger, rest: Decimal) -> Decimal:
        """Move up to `rest` units to insurance at the mark, exactly; how many."""
        index = self.slot_of(ledger, contract)
        if rest <= 0 or index == 0:
            return Decimal(0)
        equity, risk = self.assess(ledger, False)
        if equity >= risk:
            return Decimal(0)
        slot = self.slots[index]
        size = min(rest, abs(slot.quantity))
        moved = size if slot.quantity > 0 else -size
        cost = moved * (terms.mark + terms.paid)
        taken = self.slots[self.take_slot(insurance, contract, False)]
        before = max(slot.quantity, Decimal(0)) + max(taken.quantity, Decimal(0))
        slot.quantity -= moved
        taken.quantity += moved
        ledger.cash += cost
        insurance.cash -= cost
        ledger.era = 0
        insurance.era = 0
        terms.open_interest += max(slot.quantity, Decimal(0)) + max(taken.quantity, Decimal(0)) - before
        return size

    def cover(self, account: Account, ledger: Ledger, insurance: Ledger) -> None:
        """Insurance pays what an account without positions owes, its units of finished contracts redeemed first."""
        index = ledger.head
        while index != 0:
            if self.slots[index].quantity != 0:
                self.redeem_slot(account, ledger, index)
            index = self.slots[index].next
        deficit = -ledger.cash
        ledger.cash = Decimal(0)
        insurance.cash -= deficit
        insurance.era = 0
        self.covered += deficit
        emit(Bankrupt(account, deficit, self.missing()))

    def missing(self) -> Decimal:
        equity, _risk = self.assess(self.accounts[self.me], False)
        return max(-equity, Decimal(0))

    def has_positions(self, ledger: Ledger) -> bool:
        """In contracts that are not finished."""
        index = ledger.head
        while index != 0:
            slot = self.slots[index]
            if slot.quantity != 0 and not self.contracts[slot.contract].finished:
                return True
            index = slot.next
        return False

    # ---- the end of a contract

    def listed(self, series: int) -> int:
        """The contract of the sender's series."""
        listing = Listing(tx.sender, series)
        require(listing in self.listings, "not listed")
        return self.listings[listing]

    def end(self, contract: int, price: Decimal, closed: bool) -> None:
        """Settle all positions by one payment, at `price` per unit."""
        terms = self.contracts[contract]
        require(not terms.finished, "contract is finished")
        require(abs(price) <= VALUE_MAX, "price out of range")
        zero = Decimal(0)
        terms.finished = True
        terms.halted = True
        terms.paid += price
        terms.mark = zero
        terms.long_risk = zero
        terms.short_risk = zero
        terms.floor = zero
        for world in range(WORLDS):
            terms.moves[world] = zero
        self.era += 1
        self.leave_group(self.groups[terms.feed], contract)
        emit(Finished(contract, price, terms.paid, closed))

    def leave_group(self, group: Group, contract: int) -> None:
        """No more valuations; the order of the others stays, and how far the present one has come."""
        place = 0
        for at in range(len(group.contracts)):
            other = group.contracts[at]
            if other != contract:
                group.contracts[place] = other
                place += 1
            elif at < group.next:
                group.next -= 1
        group.contracts.pop()

    def redeem_slot(self, account: Account, ledger: Ledger, index: int) -> Decimal:
        """Move a slot's units of a finished contract to insurance for what they were paid, rounded down; how much."""
        slot = self.slots[index]
        quantity = slot.quantity
        if quantity == 0:
            return quantity
        terms = self.contracts[slot.contract]
        insurance = self.accounts[self.me]
        taken = self.slots[self.take_slot(insurance, slot.contract, False)]
        amount = mul_down(quantity, terms.paid)
        before = max(quantity, Decimal(0)) + max(taken.quantity, Decimal(0))
        slot.quantity = Decimal(0)
        taken.quantity += quantity
        ledger.cash += amount
        insurance.cash -= amount
        ledger.era = 0
        insurance.era = 0
        terms.open_interest += max(taken.quantity, Decimal(0)) - before
        emit(Redeemed(slot.contract, account, quantity, amount))
        return amount

    # ---- slots

    def slot_of(self, ledger: Ledger, contract: int) -> int:
        """The account's slot for the contract, 0 (an empty one nobody owns) when there is none."""
        index = ledger.head
        while index != 0:
            slot = self.slots[index]
            if slot.contract == contract:
                return index
            index = slot.next
        return 0

    def take_slot(self, ledger: Ledger, contract: int, bounded: bool) -> int:
        """The account's slot for the contract, made when missing; at most POSITIONS_MAX when bounded."""
        index = self.slot_of(ledger, contract)
        if index != 0:
            return index
        if bounded and ledger.count >= POSITIONS_MAX:
            index = self.recycle(ledger)
        else:
            index = len(self.slots)
            self.slots.add()
            ledger.count += 1
        fresh = self.slots[index]
        fresh.contract = contract
        neighbour = self.slot_of_feed(ledger, self.contracts[contract].feed)
        if neighbour != 0:
            slot = self.slots[neighbour]
            fresh.next = slot.next
            fresh.joined = slot.joined
            slot.next = index
            slot.joined = True
        else:
            fresh.next = ledger.head
            fresh.joined = False
            ledger.head = index
        return index

    def slot_of_feed(self, ledger: Ledger, feed: Feed) -> int:
        index = ledger.head
        while index != 0:
            slot = self.slots[index]
            if self.contracts[slot.contract].feed == feed:
                return index
            index = slot.next
        return 0

    def recycle(self, ledger: Ledger) -> int:
        """Unchain the first of the account's slots without position and orders; Rejected when there is none."""
        last = 0
        index = ledger.head
        while index != 0:
            slot = self.slots[index]
            if slot.quantity == 0 and slot.buying == 0 and slot.selling == 0:
                if last == 0:
                    ledger.head = slot.next
                else:
                    previous = self.slots[last]
                    previous.next = slot.next
                    previous.joined = previous.joined and slot.joined
                slot.newest = 0
                ledger.era = 0
                return index
            last = index
            index = slot.next
        raise Rejected("too many positions")
