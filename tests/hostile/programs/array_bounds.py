"""Indexes outside of its sequences, into memory that others use next."""

from execution.lang import Array, BoundedList, List, Program, external


class ArrayBounds(Program):
    kept: List[int]

    @external
    def attack(self, which: int, index: int) -> int:
        few: Array[int, 4] = Array(1, 2, 3, 4)
        room: BoundedList[int, 4] = BoundedList()
        if which == 0:
            few[index] = 7
            return few[0]
        if which == 1:
            return room[index]
        if which == 2:
            for i in range(index):
                room.append(i)
            return len(room)
        return self.kept[index]
