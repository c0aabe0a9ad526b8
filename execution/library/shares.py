"""
Shares of a vault: who owns how much of assets that grow and shrink, safe from the first depositor's trick.

Prices as if VIRTUAL shares, backed by VIRTUAL assets, belonged to nobody: OpenZeppelin, "ERC-4626 inflation attack"
(2023). To make others lose a part of what they pay in to rounding, somebody would have to give the vault 10^12 times as
much. Assets are counted here, so what is merely sent to the program changes nothing. All rounding is in favour of
those who stay: minting and redeeming never lowers what a share of another holder is worth.

A program keeps them in a container: `vaults: Map[Asset, Shares]`, and moves the money itself.
"""

from execution.lang import Account, Decimal, Map, Record, mul_div_down, mul_div_up, require

VIRTUAL = Decimal("0.000001")


class Shares(Record):
    """assets: what the vault holds. supply: shares of all holders; the first cost 1 each."""

    assets: Decimal
    supply: Decimal
    holders: Map[Account, Decimal]


def shares_of(vault: Shares, account: Account) -> Decimal:
    return vault.holders.get(account, Decimal(0))


def shares_for(vault: Shares, assets: Decimal) -> Decimal:
    """What a deposit of so many assets mints now; rounds down. Rejects "overflow"."""
    return mul_div_down(assets, vault.supply + VIRTUAL, vault.assets + VIRTUAL)


def cost_of(vault: Shares, shares: Decimal) -> Decimal:
    """Assets that minting so many shares costs now; rounds up. Rejects "overflow"."""
    return mul_div_up(shares, vault.assets + VIRTUAL, vault.supply + VIRTUAL)


def assets_for(vault: Shares, shares: Decimal) -> Decimal:
    """Assets that so many of the minted shares are worth now; rounds down."""
    virtual = virtual_of(vault)
    if vault.supply + virtual == 0:
        return Decimal(0)
    return mul_div_down(shares, vault.assets + virtual, vault.supply + virtual)


def virtual_of(vault: Shares) -> Decimal:
    """After a loss, virtual assets would promise more than there is: what is left is then shared in proportion."""
    return VIRTUAL if vault.assets >= vault.supply else Decimal(0)


def mint(vault: Shares, account: Account, assets: Decimal) -> Decimal:
    """
    Take assets in; the new shares of `account` are returned, rounded down.

    Rejects "amount must be positive", "amount too small" for a share of 10^-18, "overflow".
    """
    require(assets > 0, "amount must be positive")
    shares = shares_for(vault, assets)
    require(shares > 0, "amount too small")
    enter(vault, account, assets, shares)
    return shares


def mint_exact(vault: Shares, account: Account, shares: Decimal) -> Decimal:
    """Give `account` exactly so many new shares; returns the assets they cost, rounded up. Rejects as `mint`."""
    require(shares > 0, "amount must be positive")
    assets = cost_of(vault, shares)
    enter(vault, account, assets, shares)
    return assets


def burn(vault: Shares, account: Account, shares: Decimal) -> Decimal:
    """
    Redeem shares of `account`; returns the assets to pay out, rounded down, possibly 0.

    Rejects "amount must be positive", "insufficient shares".
    """
    require(shares > 0, "amount must be positive")
    assets = assets_for(vault, shares)
    leave(vault, account, assets, shares)
    return assets


def burn_exact(vault: Shares, account: Account, assets: Decimal) -> Decimal:
    """
    Pay `account` exactly so many assets; returns the shares that are burnt for them, rounded up.

    Rejects "amount must be positive", "insufficient assets", "insufficient shares".
    """
    require(assets > 0, "amount must be positive")
    require(assets <= vault.assets, "insufficient assets")
    virtual = virtual_of(vault)
    shares = mul_div_up(assets, vault.supply + virtual, vault.assets + virtual)
    leave(vault, account, assets, shares)
    return shares


def give(vault: Shares, source: Account, target: Account, shares: Decimal) -> None:
    """Move shares between holders. Rejects "amount must be positive", "insufficient shares"."""
    require(shares > 0, "amount must be positive")
    set_shares(vault, source, shares_of(vault, source) - shares)
    set_shares(vault, target, shares_of(vault, target) + shares)


def earn(vault: Shares, assets: Decimal) -> None:
    """Assets come in that all holders own in proportion. Rejects "amount must be positive"."""
    require(assets > 0, "amount must be positive")
    vault.assets += assets


def lose(vault: Shares, assets: Decimal) -> None:
    """A loss or a fee, borne in proportion. Rejects "amount must be positive", "insufficient assets"."""
    require(assets > 0, "amount must be positive")
    require(assets <= vault.assets, "insufficient assets")
    vault.assets -= assets


def enter(vault: Shares, account: Account, assets: Decimal, shares: Decimal) -> None:
    set_shares(vault, account, shares_of(vault, account) + shares)
    vault.assets += assets
    vault.supply += shares


def leave(vault: Shares, account: Account, assets: Decimal, shares: Decimal) -> None:
    set_shares(vault, account, shares_of(vault, account) - shares)
    vault.assets -= assets
    vault.supply -= shares


def set_shares(vault: Shares, account: Account, shares: Decimal) -> None:
    """Who holds none is not kept."""
    require(shares >= 0, "insufficient shares")
    if shares == 0:
        del vault.holders[account]
    else:
        vault.holders[account] = shares
