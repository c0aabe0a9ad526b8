"""
Civil dates of the proleptic Gregorian calendar, in UTC: a day is an int, days since 1 January 1970.

E. M. Reingold, N. Dershowitz, "Calendrical calculations" (2018), chapter 2; the form with years that begin in March is
H. Hinnant's, "chrono-compatible low-level date algorithms" (2013). Exact from 1970-01-01 to 2200-12-31, "invalid date"
outside. Leap seconds do not exist, as in Unix time. Months are 1 to 12, Mondays 0 and Sundays 6.
"""

from execution.lang import Struct, Timestamp, require

DAY_MS = 86_400_000
DAY_MAX = 84_370  # 2200-12-31
YEAR_MIN = 1970
YEAR_MAX = 2200
EPOCH = 719_468  # days from 1 March of the year 0 to 1970-01-01
ERA = 146_097  # days of 400 years

MONDAY = 0
WEDNESDAY = 2
FRIDAY = 4
SATURDAY = 5


class Civil(Struct):
    """month: 1 to 12. day: of the month, from 1."""

    year: int
    month: int
    day: int


def day_of(time: Timestamp) -> int:
    """The day in which a moment lies: rounds down."""
    return time.ms // DAY_MS


def midnight(day: int) -> Timestamp:
    """The moment at which a day begins."""
    return Timestamp(day * DAY_MS)


def weekday(day: int) -> int:
    """MONDAY to Sunday: 1970-01-01 was a Thursday."""
    return (day + 3) % 7


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_days(year: int, month: int) -> int:
    """Days of a month. Rejects "invalid date"."""
    require(YEAR_MIN <= year <= YEAR_MAX and 1 <= month <= 12, "invalid date")
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 + (month + month // 8) % 2


def day_from(year: int, month: int, day: int) -> int:
    """The day of a civil date. Rejects "invalid date" when there is no such day from 1970 to 2200."""
    require(1 <= day <= month_days(year, month), "invalid date")
    since = year if month > 2 else year - 1
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * since + since // 4 - since // 100 + since // 400 + of_year - EPOCH


def civil(day: int) -> Civil:
    """The civil date of a day. Rejects "invalid date" before 1970 and after 2200."""
    require(0 <= day <= DAY_MAX, "invalid date")
    era = (day + EPOCH) // ERA
    of_era = day + EPOCH - era * ERA
    years = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = era * 400 + years + (1 if month < 3 else 0)
    return Civil(year, month, of_year - (153 * shifted + 2) // 5 + 1)


def is_month_end(day: int) -> bool:
    """Rejects "invalid date"."""
    date = civil(day)
    return date.day == month_days(date.year, date.month)


def month_end(day: int) -> int:
    """The last day of the month in which `day` lies. Rejects "invalid date"."""
    date = civil(day)
    return day - date.day + month_days(date.year, date.month)


def add_months(day: int, months: int) -> int:
    """
    The same day of the month so many months later (earlier, if negative), or that month's last when it has no such day:
    a month after 31 January is 28 or 29 February. Rejects "invalid date".
    """
    date = civil(day)
    count = date.year * 12 + date.month - 1 + months
    year = count // 12
    month = count % 12 + 1
    return day_from(year, month, min(date.day, month_days(year, month)))


def nth_weekday(year: int, month: int, of_week: int, number: int) -> int:
    """The number-th (1 to 4) such weekday of a month. Rejects "invalid date"."""
    require(0 <= of_week <= 6 and 1 <= number <= 4, "invalid date")
    first = day_from(year, month, 1)
    return first + (of_week - weekday(first)) % 7 + (number - 1) * 7


def third_friday(year: int, month: int) -> int:
    """On which listed options expire; roll it PRECEDING where that may be a holiday. Rejects "invalid date"."""
    return nth_weekday(year, month, FRIDAY, 3)


def third_wednesday(year: int, month: int) -> int:
    """Of March, June, September and December: the IMM dates of the CME. Rejects "invalid date"."""
    return nth_weekday(year, month, WEDNESDAY, 3)


def next_imm(day: int) -> int:
    """The first IMM date after `day`, never `day` itself. Rejects "invalid date"."""
    date = civil(day)
    month = (date.month + 2) // 3 * 3
    found = third_wednesday(date.year, month)
    if found > day:
        return found
    return third_wednesday(date.year + month // 12, month % 12 + 3)
