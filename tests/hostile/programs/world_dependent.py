"""Asks for prices and clocks of other worlds outside of any valuation."""

from face import Face

from execution.lang import Decimal, Duration, Program, ProgramRef, World, external


class WorldDependent(Program):
    @external
    def attack(self, other: ProgramRef[Face], number: int) -> int:
        world = World(number, Decimal(0), Decimal(0), Duration.seconds(0))
        return other.look(0, world=world)
