"""An option factory: lists a series by creating a program for it, on request and from a hook."""

from execution.lang import (
    DONE,
    Account,
    Decimal,
    Map,
    Outcome,
    Program,
    ProgramRef,
    Rejected,
    Timestamp,
    block,
    create_like,
    external,
    hook,
    schedule,
    view,
)
from tests.vm_kernel.option import Option


class Factory(Program):
    """template: the option whose code every series has."""

    template: ProgramRef[Option]
    series: Map[Decimal, ProgramRef[Option]]
    tolerated: int

    def create(self, template: ProgramRef[Option]) -> None:
        self.template = template

    @external
    def list(self, strike: Decimal, expiry: Timestamp) -> Account:
        made = create_like(self.template, strike, expiry=expiry, program_admin=self.me)
        self.series[strike] = made
        return made.me

    @external
    def list_and_fail(self, strike: Decimal) -> None:
        create_like(self.template, strike, block.time)
        raise Rejected("changed my mind")

    @external
    def list_cheaply(self, strike: Decimal, gas: int) -> Account:
        return create_like(self.template, strike, block.time, gas=gas).me

    @external
    def list_many(self, count: int) -> None:
        for i in range(count):
            create_like(self.template, Decimal(1 + i), block.time, gas=20_000)

    @external
    def list_from(self, template: ProgramRef[Option]) -> Account:
        return create_like(template, Decimal(5), block.time).me

    @external
    def list_unless_full(self, template: ProgramRef[Option]) -> int:
        try:
            create_like(template, Decimal(5), block.time)
        except Rejected:
            self.tolerated += 1
        return self.tolerated

    @external
    def list_later(self, time: Timestamp) -> None:
        schedule(time, self.on_time)

    @hook
    def on_time(self, due: Timestamp) -> Outcome:
        self.series[Decimal(7)] = create_like(self.template, Decimal(7), due)
        return DONE

    @external
    def buy(self, strike: Decimal, count: int) -> int:
        return self.series[strike].buy(count)

    @view
    def where(self, strike: Decimal) -> Account:
        return self.series[strike].me
