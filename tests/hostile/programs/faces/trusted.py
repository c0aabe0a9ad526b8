"""What a liar's callers believe it to be; the liar has entries of these names with other results."""

from execution.lang import Account, Array, BoundedList, Enum, Optional, Program, external


class Way(Enum):
    UP = 0
    DOWN = 1


class Trusted(Program):
    @external
    def flag(self) -> bool:
        return True

    @external
    def side(self) -> Way:
        return Way.UP

    @external
    def owner(self) -> Account:
        return self.me

    @external
    def maybe(self) -> Optional[int]:
        return None

    @external
    def few(self) -> BoundedList[int, 4]:
        few: BoundedList[int, 4] = BoundedList()
        return few

    @external
    def short(self) -> Array[int, 8]:
        words: Array[int, 8] = Array()
        return words
