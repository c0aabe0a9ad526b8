"""
Business days: Monday to Friday without the holidays a program keeps, and where a date goes that is none.

The conventions are those of the 2006 ISDA Definitions, section 4.12. Days are ints as in `civil`. Holidays are days in
a Map of the program, `holidays: Map[int, bool]`; only its keys count, weekends need not be in it.
"""

from execution.lang import Enum, Map, Rejected, require
from execution.library.civil import SATURDAY, civil, weekday

ROLL_DAYS_MAX = 31
BUSINESS_DAYS_MAX = 366


class Roll(Enum):
    """
    Which business day stands for a date that is none: the date itself, none other (UNADJUSTED); the next (FOLLOWING);
    the one before (PRECEDING); the next but in the same month, otherwise the one before (MODIFIED_FOLLOWING); its
    mirror image (MODIFIED_PRECEDING).
    """

    UNADJUSTED = 0
    FOLLOWING = 1
    PRECEDING = 2
    MODIFIED_FOLLOWING = 3
    MODIFIED_PRECEDING = 4


def is_business_day(day: int, holidays: Map[int, bool]) -> bool:
    return weekday(day) < SATURDAY and day not in holidays


def nearest(day: int, step: int, holidays: Map[int, bool]) -> int:
    """
    `day`, or the first business day from it in steps of 1 or -1. Rejects "no business day" within ROLL_DAYS_MAX.
    """
    found = day
    for _ in range(ROLL_DAYS_MAX):
        if is_business_day(found, holidays):
            return found
        found += step
    raise Rejected("no business day")


def roll_day(day: int, roll: Roll, holidays: Map[int, bool]) -> int:
    """
    The business day that stands for `day`. Rejects "no business day"; the modified ones "invalid date" outside of 1970
    to 2200.
    """
    match roll:
        case Roll.UNADJUSTED:
            return day
        case Roll.FOLLOWING:
            return nearest(day, 1, holidays)
        case Roll.PRECEDING:
            return nearest(day, -1, holidays)
        case Roll.MODIFIED_FOLLOWING:
            return within_month(day, 1, holidays)
        case Roll.MODIFIED_PRECEDING:
            return within_month(day, -1, holidays)


def within_month(day: int, step: int, holidays: Map[int, bool]) -> int:
    """The nearest business day in steps of 1 or -1, in the other direction when that one is in another month."""
    found = nearest(day, step, holidays)
    return found if civil(found).month == civil(day).month else nearest(day, -step, holidays)


def add_business_days(day: int, count: int, holidays: Map[int, bool]) -> int:
    """
    The count-th business day after `day`, before it if negative; 0 is `day`, rolled FOLLOWING. T + 2 is count 2.

    Rejects "too many days" beyond BUSINESS_DAYS_MAX, "no business day". Costs gas for each day in between.
    """
    require(-BUSINESS_DAYS_MAX <= count <= BUSINESS_DAYS_MAX, "too many days")
    step = -1 if count < 0 else 1
    found = day if count != 0 else nearest(day, 1, holidays)
    for _ in range(abs(count)):
        found = nearest(found + step, step, holidays)
    return found
