"""Shares, roles and statistics, each behind entries of its own; money is numbers here."""

from execution.lang import (
    Account,
    Decimal,
    Duration,
    List,
    Program,
    Symbol,
    Timestamp,
    external,
    tx,
    view,
)
from execution.library.roles import Roles, begin_roles, grant, has_role, require_role, revoke, set_admin
from execution.library.shares import (
    Shares,
    assets_for,
    burn,
    burn_exact,
    cost_of,
    earn,
    give,
    lose,
    mint,
    mint_exact,
    shares_for,
    shares_of,
)
from execution.library.statistics import (
    Ewma,
    Moments,
    Window,
    ewma_volatility,
    highest,
    lowest,
    observe,
    observe_price,
    observe_value,
    open_window,
    sample_variance,
    variance,
)


class Vaults(Program):
    vaults: List[Shares]
    roles: List[Roles]
    windows: List[Window]
    moments: Moments
    ewma: Ewma

    def create(self) -> None:
        self.vaults.add()
        begin_roles(self.roles.add(), tx.sender)
        open_window(self.windows.add(), Duration(10))
        open_window(self.windows.add(), Duration(100_000))

    @external
    def mint(self, assets: Decimal) -> Decimal:
        return mint(self.vaults[0], tx.sender, assets)

    @external
    def mint_exact(self, shares: Decimal) -> Decimal:
        return mint_exact(self.vaults[0], tx.sender, shares)

    @external
    def burn(self, shares: Decimal) -> Decimal:
        return burn(self.vaults[0], tx.sender, shares)

    @external
    def burn_exact(self, assets: Decimal) -> Decimal:
        return burn_exact(self.vaults[0], tx.sender, assets)

    @external
    def give(self, target: Account, shares: Decimal) -> None:
        give(self.vaults[0], tx.sender, target, shares)

    @external
    def earn(self, assets: Decimal) -> None:
        earn(self.vaults[0], assets)

    @external
    def lose(self, assets: Decimal) -> None:
        lose(self.vaults[0], assets)

    @view
    def held(self, account: Account, assets: Decimal, shares: Decimal) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        vault = self.vaults[0]
        return shares_of(vault, account), shares_for(vault, assets), assets_for(vault, shares), cost_of(vault, shares)

    @external
    def grant(self, role: Symbol, account: Account) -> None:
        grant(self.roles[0], tx.sender, role, account)

    @external
    def revoke(self, role: Symbol, account: Account) -> None:
        revoke(self.roles[0], tx.sender, role, account)

    @external
    def set_admin(self, role: Symbol, admin: Symbol) -> None:
        set_admin(self.roles[0], tx.sender, role, admin)

    @external
    def begin(self) -> None:
        begin_roles(self.roles[0], tx.sender)

    @external
    def act(self, role: Symbol) -> None:
        require_role(self.roles[0], role, tx.sender)

    @view
    def may(self, role: Symbol, account: Account) -> bool:
        return has_role(self.roles[0], role, account)

    @external
    def tell(self, value: Decimal) -> tuple[Decimal, Decimal]:
        self.moments = observe(self.moments, value)
        return self.moments.mean, variance(self.moments)

    @view
    def sample(self) -> Decimal:
        return sample_variance(self.moments)

    @external
    def quote(self, price: Decimal, decay: Decimal) -> None:
        self.ewma = observe_price(self.ewma, price, decay)

    @view
    def volatility(self, periods: Decimal) -> Decimal:
        return ewma_volatility(self.ewma, periods)

    @external
    def see(self, window: int, time: Timestamp, value: Decimal) -> None:
        observe_value(self.windows[window], time, value)

    @view
    def extremes(self, window: int, now: Timestamp) -> tuple[Decimal, Decimal]:
        return lowest(self.windows[window], now), highest(self.windows[window], now)
