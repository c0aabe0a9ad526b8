"""
Schedules: dates in ascending order and a cursor that passes them one by one: fixings, coupons, expiries.

Regular periods are generated as the 2006 ISDA Definitions (sections 4.10 to 4.12) and, for their stubs, the practice of
bonds have it: all dates are counted from one end, so that they do not drift, and rolled one by one. Days are ints as in
`civil`; dates of a Schedule are Timestamps, at midnight UTC where they come from days.

A program keeps them in a container: `schedules: Map[int, Schedule]`, or `List[Schedule]` for one.
"""

from execution.lang import Enum, List, Map, Optional, Record, Struct, Timestamp, require
from execution.library.business_days import Roll, roll_day
from execution.library.civil import add_months, civil, is_month_end, midnight, month_end

DATES_MAX = 600


class Schedule(Record):
    """cursor: how many dates have been passed."""

    dates: List[Timestamp]
    cursor: int


class Stub(Enum):
    """Where the odd period stands when the periods do not come out even: at the start (FIRST) or at the end (LAST)."""

    FIRST = 0
    LAST = 1


class Periods(Struct):
    """
    From `start` to `end`, both days, every `months` months. month_ends: when the end that is counted from is the last
    day of its month, so is every date before it is rolled.
    """

    start: int
    end: int
    months: int
    stub: Stub
    roll: Roll
    month_ends: bool


def add_date(schedule: Schedule, date: Timestamp) -> None:
    """Put a date behind the others. Rejects "dates out of order" unless it is later, "too many dates"."""
    count = len(schedule.dates)
    require(count == 0 or schedule.dates[count - 1] < date, "dates out of order")
    require(count < DATES_MAX, "too many dates")
    schedule.dates.append(date)


def next_date(schedule: Schedule) -> Optional[Timestamp]:
    """The first date that has not been passed; None after the last."""
    if schedule.cursor == len(schedule.dates):
        return None
    return schedule.dates[schedule.cursor]


def is_due(schedule: Schedule, now: Timestamp) -> bool:
    """Whether the next date has come."""
    return schedule.cursor < len(schedule.dates) and schedule.dates[schedule.cursor] <= now


def pass_date(schedule: Schedule, now: Timestamp) -> Timestamp:
    """The next date, which has come and is now passed. Rejects "schedule ended", "not due"."""
    require(schedule.cursor < len(schedule.dates), "schedule ended")
    date = schedule.dates[schedule.cursor]
    require(date <= now, "not due")
    schedule.cursor += 1
    return date


def dates_left(schedule: Schedule) -> int:
    return len(schedule.dates) - schedule.cursor


def generate(schedule: Schedule, periods: Periods, holidays: Map[int, bool]) -> None:
    """
    Append the last day of each period, rolled: `start` is none, `end` is the last. Dates that roll to the same day, or
    to that of `start`, are one.

    Rejects "invalid number" for months below 1, "dates out of order" when start is not before end or the first date is
    not later than those there are, "too many dates", "invalid date", "no business day".
    """
    require(periods.months >= 1, "invalid number")
    require(periods.start < periods.end, "dates out of order")
    count = months_between(periods.start, periods.end) // periods.months
    require(count < DATES_MAX, "too many dates")
    last = roll_day(periods.start, periods.roll, holidays)
    for number in range(1, count + 2):
        day = roll_day(period_end(periods, number, count), periods.roll, holidays)
        if day > last:
            add_date(schedule, midnight(day))
            last = day


def period_end(periods: Periods, number: int, count: int) -> int:
    """End of a period as counted from 1, not rolled, never outside of start and end; the last number is count + 1."""
    if number > count:
        return periods.end
    anchor = periods.start if periods.stub == Stub.LAST else periods.end
    months = number if periods.stub == Stub.LAST else number - count - 1
    day = add_months(anchor, months * periods.months)
    if periods.month_ends and is_month_end(anchor):
        day = month_end(day)
    return min(max(day, periods.start), periods.end)


def months_between(start: int, end: int) -> int:
    """Months from that of one day to that of the other, whatever the days in them."""
    first = civil(start)
    last = civil(end)
    return (last.year - first.year) * 12 + last.month - first.month
