"""
Instrument: what clearing asks of any program whose units are to be held and margined.

An instrument has three verbs. `value(series)` says what one unit of a series is worth now, in the settlement asset; in
a world it answers for the shocked prices and clock without knowing so. `clearing.pay(series, per_unit, worth)` pays
each unit held long that amount (and charges each unit short), in O(1) for any number of holders, and says what a unit
is worth after it; `clearing.finish(series, per_unit)` is the last payment and ends the series. An instrument sees no
account. Programs do not inherit from this class: whoever has the entry `value(int)` is an instrument.
"""

from execution.lang import Decimal, Program, Rejected, view


class Instrument(Program):
    """The interface through which clearing sees a program."""

    @view
    def value(self, series: int) -> Decimal:
        """Worth of one unit; |value| at most clearing's VALUE_MAX. Any failure halts the contract for opening."""
        raise Rejected("the interface has no value")
