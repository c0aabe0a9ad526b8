"""
Bank: who owns how much of what. Every other program moves money through here.

Amounts are Decimals, in units of their asset, exact to 18 places. For every asset and after every transaction the
balances of all accounts and the deposits for storage sum to its supply; only `credit` (deposits, by the kernel) and
`withdraw` change a supply. Nothing here rounds. The bank also keeps consents (a program may pull money), mandates (an
agent key may sign), sub-accounts (addresses their owner acts for as for himself: balances and positions apart) and
purses (what pays for the hooks of a program). The addresses of both are derived, so that they are nobody else's from
the beginning.
"""

from execution.lang import (
    Account,
    Asset,
    Decimal,
    Event,
    List,
    Map,
    Program,
    Record,
    Rejected,
    Struct,
    Symbol,
    Timestamp,
    block,
    emit,
    external,
    require,
    resume,
    tx,
    view,
)

PURSE: int = -1
"""Number under which a program's purse is derived; sub-accounts count from 0."""
SUPPLY_MAX = Decimal("1000000000000000000")
ASSETS_MAX: int = 1024
PLENTY: int = 64


class Holding(Struct):
    """One account's holding of one asset."""

    account: Account
    asset: Asset


class Pocket(Struct):
    """What a consent is about: one program and one asset of the owner."""

    program: Account
    asset: Asset


class Consent(Struct):
    """How much a program may still pull; valid while block.time <= expiry."""

    limit: Decimal
    expiry: Timestamp


class Consents(Record):
    """All consents of one owner."""

    pockets: Map[Pocket, Consent]


class Agency(Struct):
    """An account and a key that may sign for it."""

    account: Account
    agent: Account


class Mandate(Struct):
    """scope: the program the agent may call, zero for any; valid while block.time <= expiry."""

    scope: Account
    expiry: Timestamp


class Registered(Event):
    asset: Asset
    symbol: Symbol


class Transferred(Event):
    asset: Asset
    source: Account
    target: Account
    amount: Decimal


class Credited(Event):
    """inbox: number of this credit, counted from 0 over the chain's life, genesis allocations included."""

    account: Account
    asset: Asset
    amount: Decimal
    inbox: int


class Withdrawn(Event):
    """index: number of this withdrawal, counted from 0 over the chain's life."""

    index: int
    account: Account
    asset: Asset
    amount: Decimal


class Allowed(Event):
    owner: Account
    program: Account
    asset: Asset
    limit: Decimal
    expiry: Timestamp


class Authorised(Event):
    account: Account
    agent: Account
    scope: Account
    expiry: Timestamp


class Revoked(Event):
    account: Account
    agent: Account


class Opened(Event):
    """owner may act for account from now on, its sub-account of this number."""

    owner: Account
    number: int
    account: Account


class Bank(Program):
    """
    admin: registers assets. fees: the account that receives transaction fees, in asset 0. held: for the transaction at
    hand. deposits: paid for storage and not given back, in asset 0. owners: of each open sub-account.
    """

    admin: Account
    fees: Account
    symbols: List[Symbol]
    supplies: List[Decimal]
    balances: Map[Holding, Decimal]
    consents: Map[Account, Consents]
    mandates: Map[Agency, Mandate]
    credits: int
    withdrawals: int
    held: Decimal
    deposits: Decimal
    owners: Map[Account, Account]

    def create(self, symbol: Symbol, admin: Account, fees: Account) -> None:
        """symbol: name of asset 0, in which transaction fees are paid."""
        self.admin = admin
        self.fees = fees
        self.add_asset(symbol)

    # ---- money

    @external
    def transfer(self, asset: Asset, target: Account, amount: Decimal) -> None:
        """Move the sender's own money. amount > 0; Rejected "insufficient balance"."""
        self.move(asset, tx.sender, target, amount)

    @external
    def withdraw(self, asset: Asset, amount: Decimal) -> int:
        """
        Burn the sender's money here, to be paid out by the settlement chain; the withdrawal's index. What a
        sub-account withdraws is paid to its owner, who has a key there.
        """
        require(amount > 0, "amount must be positive")
        self.debit(asset, tx.sender, amount)
        self.supplies[asset.index] = self.supplies[asset.index] - amount
        index = self.withdrawals
        self.withdrawals = index + 1
        emit(Withdrawn(index, self.owners.get(tx.sender, tx.sender), asset, amount))
        return index

    @external
    def pull(self, owner: Account, asset: Asset, amount: Decimal) -> None:
        """Move an owner's money to the sender, a program to which the owner consented; uses the consent up."""
        require(amount > 0, "amount must be positive")
        require(owner in self.consents, "no consent")
        pockets = self.consents[owner].pockets
        pocket = Pocket(tx.sender, asset)
        consent = pockets.get(pocket)
        if consent is None:
            raise Rejected("no consent")
        require(block.time <= consent.expiry, "consent has expired")
        require(amount <= consent.limit, "amount above the consent")
        pockets[pocket] = consent.replace(limit=consent.limit - amount)
        self.move(asset, owner, tx.sender, amount)

    # ---- consents and mandates

    @external
    def allow(self, program: Account, asset: Asset, limit: Decimal, expiry: Timestamp) -> None:
        """Let a program pull up to `limit` in all, until `expiry`; replaces an earlier consent, 0 ends it."""
        require(limit >= 0, "limit must not be negative")
        self.check_asset(asset)
        pockets = self.consents.obtain(tx.sender).pockets
        pocket = Pocket(program, asset)
        if limit > 0:
            pockets[pocket] = Consent(limit, expiry)
        elif pocket in pockets:
            del pockets[pocket]
        emit(Allowed(tx.sender, program, asset, limit, expiry))

    @external
    def authorise(self, agent: Account, scope: Account, expiry: Timestamp) -> None:
        """Let a key sign for the sender: calls of program `scope` only, or of any when it is zero; replaces."""
        require(agent != tx.sender, "an account is its own agent already")
        require(expiry > block.time, "expiry has passed")
        self.mandates[Agency(tx.sender, agent)] = Mandate(scope, expiry)
        emit(Authorised(tx.sender, agent, scope, expiry))

    @external(order="cancel")
    def revoke(self, agent: Account) -> None:
        """End an agent's mandate at once; Rejected "no mandate"."""
        agency = Agency(tx.sender, agent)
        require(agency in self.mandates, "no mandate")
        del self.mandates[agency]
        emit(Revoked(tx.sender, agent))

    # ---- sub-accounts and purses

    @external
    def open_sub(self, number: int) -> Account:
        """
        Let the sender, and its agents within their scope, act for its sub-account of this number (0 or more). A
        sub-account has none of its own; money may be sent to one before it is open.
        """
        require(number >= 0, "number must not be negative")
        require(tx.sender not in self.owners, "a sub-account has no sub-accounts")
        account = Account.derived(tx.sender, number)
        require(account not in self.owners, "sub-account is open")
        self.owners[account] = tx.sender
        emit(Opened(tx.sender, number, account))
        return account

    @external
    def fund_gas(self, program: Account, amount: Decimal) -> None:
        """
        Put the sender's money, in asset 0, into a program's purse: it pays for the program's hooks, and those that
        waited for money try again, one after the other.
        """
        self.move(Asset(0), tx.sender, Account.derived(program, PURSE), amount)
        resume(program)

    @external
    def take_gas(self, amount: Decimal) -> None:
        """Take money back out of the sender's own purse; the sender is the program."""
        self.move(Asset(0), Account.derived(tx.sender, PURSE), tx.sender, amount)

    # ---- assets

    @external
    def register(self, symbol: Symbol) -> Asset:
        """A new asset without supply. Admin only; symbols are unique."""
        require(tx.sender == self.admin, "not authorised")
        return self.add_asset(symbol)

    # ---- the kernel's own entries

    @external(order="cancel")
    def hold(self, account: Account, least: Decimal, most: Decimal) -> bool:
        """
        Hold money for what a transaction may cost, with what is held already; `settle` follows in the same one.

        Holds `most` when the rest of the account is PLENTY times what that is above `least`, else `least`; returns
        whether it was `most`. Rejected "insufficient balance".
        """
        require(tx.sender == Account.kernel(), "not authorised")
        require(0 <= least and least <= most, "amounts out of order")
        holding = Holding(account, Asset(0))
        left = self.balances.get(holding, Decimal(0)) - least
        require(left >= 0, "insufficient balance")
        plenty = most == least or left >= (most - least) * PLENTY
        if plenty:
            left -= most - least
        held = most if plenty else least
        if held > 0:
            self.balances[holding] = left
            self.held += held
        return plenty

    @external(order="cancel")
    def settle(self, account: Account, fee: Decimal, deposit: Decimal) -> None:
        """
        Of what is held, the fee goes to the fee account and the deposit to the deposits; the account has the rest. A
        negative deposit is given back.
        """
        require(tx.sender == Account.kernel(), "not authorised")
        refund = self.held - fee - deposit
        require(fee >= 0 and refund >= 0, "not what was held")
        self.held = Decimal(0)
        if deposit != 0:
            self.deposits += deposit
            require(self.deposits >= 0, "not what was deposited")
        self.add(Asset(0), account, refund)
        self.add(Asset(0), self.fees, fee)

    @external(order="cancel")
    def credit(self, account: Account, asset: Asset, amount: Decimal) -> None:
        """New money from the settlement chain, or an allocation at genesis. Supply stays at most SUPPLY_MAX."""
        require(tx.sender == Account.kernel(), "not authorised")
        require(amount > 0, "amount must be positive")
        self.check_asset(asset)
        supply = self.supplies[asset.index] + amount
        require(supply <= SUPPLY_MAX, "supply limit")
        self.supplies[asset.index] = supply
        self.add(asset, account, amount)
        emit(Credited(account, asset, amount, self.credits))
        self.credits += 1

    # ---- views

    @view
    def may_act(self, account: Account, agent: Account, target: Account, now: Timestamp) -> bool:
        """
        Whether the agent's signature may call program `target` for the account at `now`: it is the account, its owner,
        or an agent of one of them.
        """
        if self.stands_for(account, agent, target, now):
            return True
        owner = self.owners.get(account)
        if owner is None:
            return False
        return self.stands_for(owner, agent, target, now)

    @view
    def sub_account(self, owner: Account, number: int) -> Account:
        """Address of an owner's sub-account, open or not."""
        require(number >= 0, "number must not be negative")
        return Account.derived(owner, number)

    @view
    def owner_of(self, account: Account) -> Account:
        """The owner of an open sub-account; of any other account, itself."""
        return self.owners.get(account, account)

    @view
    def gas_balance(self, program: Account) -> Decimal:
        """What is left in a program's purse for its hooks."""
        return self.balances.get(Holding(Account.derived(program, PURSE), Asset(0)), Decimal(0))

    @view
    def balance(self, account: Account, asset: Asset) -> Decimal:
        return self.balances.get(Holding(account, asset), Decimal(0))

    @view
    def supply(self, asset: Asset) -> Decimal:
        """Sum of all balances of the asset."""
        self.check_asset(asset)
        return self.supplies[asset.index]

    @view
    def allowance(self, owner: Account, program: Account, asset: Asset) -> Decimal:
        """What the program may still pull now; 0 without a valid consent."""
        if owner not in self.consents:
            return Decimal(0)
        consent = self.consents[owner].pockets.get(Pocket(program, asset))
        if consent is None:
            return Decimal(0)
        return consent.limit if block.time <= consent.expiry else Decimal(0)

    @view
    def storage_deposits(self) -> Decimal:
        """What was paid for storage and not given back, in asset 0: nobody's balance, part of the supply."""
        return self.deposits

    @view
    def symbol(self, asset: Asset) -> Symbol:
        self.check_asset(asset)
        return self.symbols[asset.index]

    @view
    def assets(self) -> int:
        """How many assets are registered; their indexes are 0 up to this."""
        return len(self.symbols)

    # ---- inside

    def stands_for(self, account: Account, agent: Account, target: Account, now: Timestamp) -> bool:
        if account == agent:
            return True
        mandate = self.mandates.get(Agency(account, agent))
        if mandate is None:
            return False
        return now <= mandate.expiry and (mandate.scope == Account.zero() or mandate.scope == target)

    def add_asset(self, symbol: Symbol) -> Asset:
        for known in self.symbols:
            require(known != symbol, "symbol is taken")
        index = len(self.symbols)
        require(index < ASSETS_MAX, "too many assets")
        self.symbols.append(symbol)
        self.supplies.append(Decimal(0))
        emit(Registered(Asset(index), symbol))
        return Asset(index)

    def check_asset(self, asset: Asset) -> None:
        require(0 <= asset.index and asset.index < len(self.symbols), "unknown asset")

    def move(self, asset: Asset, source: Account, target: Account, amount: Decimal) -> None:
        require(amount > 0, "amount must be positive")
        self.debit(asset, source, amount)
        self.add(asset, target, amount)
        emit(Transferred(asset, source, target, amount))

    def debit(self, asset: Asset, account: Account, amount: Decimal) -> None:
        self.check_asset(asset)
        holding = Holding(account, asset)
        left = self.balances.get(holding, Decimal(0)) - amount
        require(left >= 0, "insufficient balance")
        self.balances[holding] = left

    def add(self, asset: Asset, account: Account, amount: Decimal) -> None:
        if amount > 0:
            holding = Holding(account, asset)
            self.balances[holding] = self.balances.get(holding, Decimal(0)) + amount
