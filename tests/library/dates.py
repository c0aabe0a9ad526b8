"""Everything the library knows about dates, as views; holidays and a schedule of its own."""

from execution.lang import Decimal, List, Map, Optional, Program, Timestamp, external, view
from execution.library.business_days import Roll, add_business_days, is_business_day, roll_day
from execution.library.civil import (
    Civil,
    add_months,
    civil,
    day_from,
    day_of,
    midnight,
    month_end,
    next_imm,
    third_friday,
    third_wednesday,
    weekday,
)
from execution.library.day_count import DayCount, year_fraction
from execution.library.schedules import (
    Periods,
    Schedule,
    Stub,
    dates_left,
    generate,
    is_due,
    next_date,
    pass_date,
)


class Dates(Program):
    holidays: Map[int, bool]
    schedules: List[Schedule]

    def create(self) -> None:
        self.schedules.add()

    @external
    def keep(self, day: int) -> None:
        self.holidays[day] = True

    @external
    def plan(self, start: int, end: int, months: int, stub: Stub, roll: Roll, month_ends: bool) -> int:
        schedule = self.schedules[0]
        schedule.dates.clear()
        schedule.cursor = 0
        generate(schedule, Periods(start, end, months, stub, roll, month_ends), self.holidays)
        return dates_left(schedule)

    @external
    def go_on(self, start: int, end: int) -> int:
        generate(self.schedules[0], Periods(start, end, 1, Stub.LAST, Roll.UNADJUSTED, False), self.holidays)
        return dates_left(self.schedules[0])

    @external
    def take(self, now: Timestamp) -> Timestamp:
        return pass_date(self.schedules[0], now)

    @view
    def upcoming(self, now: Timestamp) -> tuple[Optional[Timestamp], bool, int]:
        schedule = self.schedules[0]
        return next_date(schedule), is_due(schedule, now), dates_left(schedule)

    @view
    def date(self, day: int) -> Civil:
        return civil(day)

    @view
    def day(self, year: int, month: int, day_of_month: int) -> int:
        return day_from(year, month, day_of_month)

    @view
    def sweep(self, start: int, end: int) -> int:
        """A number that depends on every civil date in between; each comes back as its day."""
        mixed = 0
        for day in range(start, end):
            date = civil(day)
            back = day_from(date.year, date.month, date.day)
            told = ((date.year * 100 + date.month) * 100 + date.day) * 10 + weekday(day)
            mixed = (mixed * 31 + told + back) % 1_000_000_007
        return mixed

    @view
    def moment(self, time: Timestamp) -> tuple[int, Timestamp, int]:
        day = day_of(time)
        return day, midnight(day), weekday(day)

    @view
    def months(self, day: int, count: int) -> tuple[int, int]:
        return add_months(day, count), month_end(day)

    @view
    def special(self, year: int, month: int, day: int) -> tuple[int, int, int]:
        return third_friday(year, month), third_wednesday(year, month), next_imm(day)

    @view
    def open(self, day: int) -> bool:
        return is_business_day(day, self.holidays)

    @view
    def rolled(self, day: int, roll: Roll) -> int:
        return roll_day(day, roll, self.holidays)

    @view
    def business(self, day: int, count: int) -> int:
        return add_business_days(day, count, self.holidays)

    @view
    def years(self, convention: DayCount, start: int, end: int) -> Decimal:
        return year_fraction(convention, start, end)
