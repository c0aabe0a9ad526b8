"""A delta hedger: it hears of its fills in market 1 and trades away in market 3 what they leave open."""

from execution.lang import (
    DONE,
    RETRY,
    Decimal,
    Event,
    Fill,
    Outcome,
    Program,
    ProgramRef,
    Rejected,
    emit,
    external,
    hook,
    subscribe_fills,
    unsubscribe_fills,
)
from tests.hooks.venue import Venue


class Told(Event):
    market: int
    order: int
    delta: Decimal
    missed: int


class Hedger(Program):
    """mode: what the handler does: 0 hedge, 1 fail, 2 try again, 3 note only. delta: what is open, of both markets."""

    venue: ProgramRef[Venue]
    mode: int
    delta: Decimal
    fees: Decimal
    heard: int
    missed: int

    def create(self, venue: ProgramRef[Venue]) -> None:
        self.venue = venue

    @external
    def listen(self, on: bool) -> None:
        if on:
            subscribe_fills(self.venue.me, self.filled)
        else:
            unsubscribe_fills(self.venue.me)

    @external
    def listen_otherwise(self) -> None:
        subscribe_fills(self.venue.me, self.noted)

    @external
    def set_mode(self, mode: int) -> None:
        self.mode = mode

    @hook
    def filled(self, fill: Fill) -> Outcome:
        self.heard += 1
        self.missed += fill.missed
        self.fees += fill.fee
        self.delta += fill.size if fill.bought else -fill.size
        emit(Told(fill.market, fill.order, self.delta, fill.missed))
        if self.mode == 1:
            raise Rejected("no hedge")
        if self.mode == 2:
            self.delta -= fill.size if fill.bought else -fill.size
            return RETRY
        if self.mode == 0 and fill.market == 1:
            self.venue.trade(-self.delta, fill.price)
        return DONE

    @hook
    def noted(self, fill: Fill) -> Outcome:
        self.heard += 1
        return DONE
