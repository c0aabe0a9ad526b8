"""
Day counts: the length of a period in years, for interest that accrues from its first day up to its last.

2006 ISDA Definitions, section 4.16: (b) ACT/ACT, (d) ACT/365 Fixed, (e) ACT/360, (g) 30E/360; 30/360 US with its rules
for the end of February is the Securities Industry Association's ("Standard securities calculation methods", 1993,
volume 1). Days are ints as in `civil`. Every fraction is rounded once, half to even at the 18th place.
"""

from execution.lang import Decimal, Enum, require
from execution.library.civil import Civil, civil, day_from, is_leap, is_month_end

YEAR_DAYS = 365
LEAP_YEAR_DAYS = 366


class DayCount(Enum):
    ACT_360 = 0
    ACT_365_FIXED = 1
    ACT_ACT_ISDA = 2
    THIRTY_360_US = 3
    THIRTY_E_360 = 4


def year_fraction(convention: DayCount, start: int, end: int) -> Decimal:
    """
    Years from start to end. Rejects "dates out of order" when end is before start; "invalid date" outside of 1970 to
    2200 where the convention looks at months or years.
    """
    require(start <= end, "dates out of order")
    match convention:
        case DayCount.ACT_360:
            return Decimal(end - start) / 360
        case DayCount.ACT_365_FIXED:
            return Decimal(end - start) / YEAR_DAYS
        case DayCount.ACT_ACT_ISDA:
            return act_act_isda(start, end)
        case DayCount.THIRTY_360_US:
            return Decimal(days_30_360_us(start, end)) / 360
        case DayCount.THIRTY_E_360:
            return Decimal(days_30e_360(start, end)) / 360


def act_act_isda(start: int, end: int) -> Decimal:
    """Days in leap years / 366 + the other days / 365, over their common denominator."""
    first = civil(start).year
    last = civil(end).year
    if first == last:
        return Decimal(end - start) / (LEAP_YEAR_DAYS if is_leap(first) else YEAR_DAYS)
    between = (last - first - 1) * (YEAR_DAYS * LEAP_YEAR_DAYS)
    before = (day_from(first, 12, 31) + 1 - start) * weight(first)
    after = (end - day_from(last, 1, 1)) * weight(last)
    return Decimal(before + between + after) / (YEAR_DAYS * LEAP_YEAR_DAYS)


def weight(year: int) -> int:
    """What a day of the year counts, in 1 / (365 * 366) of a year."""
    return YEAR_DAYS if is_leap(year) else LEAP_YEAR_DAYS


def days_30_360_us(start: int, end: int) -> int:
    """Days when every month has 30: a period that begins at the end of February begins on the 30th."""
    first = civil(start)
    last = civil(end)
    first_day = first.day
    last_day = last.day
    if first.month == 2 and is_month_end(start):
        first_day = 30
        if last.month == 2 and is_month_end(end):
            last_day = 30
    if last_day == 31 and first_day >= 30:
        last_day = 30
    return days_of_30(first, min(first_day, 30), last, last_day)


def days_30e_360(start: int, end: int) -> int:
    """Days when every month has 30: each 31st is the 30th, February as it is (Eurobond basis)."""
    first = civil(start)
    last = civil(end)
    return days_of_30(first, min(first.day, 30), last, min(last.day, 30))


def days_of_30(first: Civil, first_day: int, last: Civil, last_day: int) -> int:
    return (last.year - first.year) * 360 + (last.month - first.month) * 30 + last_day - first_day
