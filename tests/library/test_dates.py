"""Civil dates, business days and schedules against Python's datetime and published calendars, on both engines."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from execution.lang import Timestamp
from execution.library.civil import DAY_MAX, civil, day_from, third_friday, weekday

EPOCH = date(1970, 1, 1)
FOLLOWING, PRECEDING, MODIFIED, MODIFIED_PRECEDING = 1, 2, 3, 4


def days(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


@pytest.fixture
def dates(chain: Any, accounts: Any) -> Any:
    return chain.deploy("dates.py", sender=accounts.alice)


def test_every_day_until_2200_is_what_datetime_says() -> None:
    for day in range(DAY_MAX + 1):
        told, known = civil(day), EPOCH + timedelta(day)
        assert (told.year, told.month, told.day) == (known.year, known.month, known.day)
        assert weekday(day) == known.weekday()
        assert day_from(told.year, told.month, told.day) == day
    assert EPOCH + timedelta(DAY_MAX) == date(2200, 12, 31)


def test_every_day_of_two_centuries_on_the_chain(dates: Any) -> None:
    for start in [*range(0, DAY_MAX - 1_000, 6_000), DAY_MAX - 999]:
        mixed = 0
        for day in range(start, start + 1_000):
            known = EPOCH + timedelta(day)
            told = ((known.year * 100 + known.month) * 100 + known.day) * 10 + known.weekday()
            mixed = (mixed * 31 + told + day) % 1_000_000_007
        assert dates.sweep(start, start + 1_000) == mixed


def test_there_is_no_other_date(chain: Any, dates: Any) -> None:
    wrong = [(2023, 2, 29), (2100, 2, 29), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1), (2024, 1, 0), (2024, 1, 32)]
    for year, month, day in [*wrong, (1969, 12, 31), (2201, 1, 1), (-(2**63), 1, 1), (2**63 - 1, 12, 31)]:
        with chain.rejects("invalid date"):
            dates.day(year, month, day)
    for day in (-1, DAY_MAX + 1, 2**63 - 1, -(2**63)):
        with chain.rejects("invalid date"):
            dates.date(day)
    with chain.rejects("invalid date"):
        dates.months(days("1970-01-31"), -1)
    assert dates.day(2000, 2, 29) == days("2000-02-29")


def test_a_moment_lies_in_a_day(dates: Any) -> None:
    chance = random.Random(1)
    for _ in range(40):
        ms = chance.randrange(-(10**12), 7 * 10**12)
        day, start, of_week = dates.moment(Timestamp(ms))
        known = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
        assert day == (known.date() - EPOCH).days
        assert start.ms == int(datetime(known.year, known.month, known.day, tzinfo=UTC).timestamp()) * 1_000
        assert of_week == known.weekday()


def test_months_end_where_they_end(dates: Any) -> None:
    assert dates.months(days("2024-01-31"), 1) == (days("2024-02-29"), days("2024-01-31"))
    assert dates.months(days("2023-01-31"), 1)[0] == days("2023-02-28")
    assert dates.months(days("2024-02-29"), 12) == (days("2025-02-28"), days("2024-02-29"))
    assert dates.months(days("2024-03-31"), -1)[0] == days("2024-02-29")
    assert dates.months(days("2024-01-15"), -25)[0] == days("2021-12-15")
    assert dates.months(days("2024-12-15"), 1) == (days("2025-01-15"), days("2024-12-31"))


def test_expiries_are_the_exchanges(dates: Any) -> None:
    fridays = ["2024-01-19", "2024-03-15", "2024-11-15", "2025-06-20", "2025-08-15", "2026-05-15"]
    for friday in fridays:
        known = date.fromisoformat(friday)
        assert dates.special(known.year, known.month, 20_000)[0] == days(friday)
    assert dates.special(2022, 4, 20_000)[0] == days("2022-04-15")  # Good Friday: trading ended the day before
    for month, wednesday in ((3, "2025-03-19"), (6, "2025-06-18"), (9, "2025-09-17"), (12, "2025-12-17")):
        assert dates.special(2025, month, 20_000)[1] == days(wednesday)


def test_the_next_imm_date_is_later(dates: Any) -> None:
    for before, after in (
        ("2024-12-17", "2024-12-18"),
        ("2024-12-18", "2025-03-19"),
        ("2025-01-01", "2025-03-19"),
        ("2025-03-19", "2025-06-18"),
        ("2025-07-31", "2025-09-17"),
    ):
        assert dates.special(2025, 1, days(before))[2] == days(after)


def test_third_fridays_lie_in_the_third_week() -> None:
    for year in range(1970, 2201):
        for month in range(1, 13):
            known = EPOCH + timedelta(third_friday(year, month))
            assert (known.year, known.month, known.weekday()) == (year, month, 4)
            assert 15 <= known.day <= 21


def test_dates_roll_by_convention(chain: Any, accounts: Any, dates: Any) -> None:
    saturday = days("2024-03-30")
    assert dates.rolled(saturday, roll(dates, 0)) == saturday
    assert dates.rolled(saturday, roll(dates, FOLLOWING)) == days("2024-04-01")
    assert dates.rolled(saturday, roll(dates, PRECEDING)) == days("2024-03-29")
    assert dates.rolled(saturday, roll(dates, MODIFIED)) == days("2024-03-29")
    assert dates.rolled(days("2024-06-01"), roll(dates, MODIFIED_PRECEDING)) == days("2024-06-03")
    for holiday in ("2024-03-29", "2024-04-01"):
        dates.keep(days(holiday), sender=accounts.alice)
    assert not dates.open(days("2024-03-29"))
    assert dates.rolled(saturday, roll(dates, FOLLOWING)) == days("2024-04-02")
    assert dates.rolled(saturday, roll(dates, PRECEDING)) == days("2024-03-28")
    assert dates.rolled(saturday, roll(dates, MODIFIED)) == days("2024-03-28")
    assert dates.business(days("2024-03-28"), 1) == days("2024-04-02")
    assert dates.business(days("2024-04-02"), -1) == days("2024-03-28")
    assert dates.business(days("2024-03-29"), 0) == days("2024-04-02")
    with chain.rejects("too many days"):
        dates.business(20_000, 367)


def roll(dates: Any, number: int) -> Any:
    return dates.module.Roll(number)


def test_business_days_agree_with_a_count_by_hand(accounts: Any, dates: Any) -> None:
    chance = random.Random(2)
    holidays = {chance.randrange(20_000, 20_400) for _ in range(30)}
    for holiday in sorted(holidays):
        dates.keep(holiday, sender=accounts.alice)
    opened = [d for d in range(19_900, 20_600) if (EPOCH + timedelta(d)).weekday() < 5 and d not in holidays]
    for _ in range(40):
        day, count = chance.randrange(20_000, 20_400), chance.randrange(1, 60)
        assert dates.business(day, count) == [d for d in opened if d > day][count - 1]
        assert dates.business(day, -count) == [d for d in opened if d < day][-count]
        assert dates.rolled(day, roll(dates, FOLLOWING)) == min(d for d in opened if d >= day)


def plan(dates: Any, accounts: Any, start: str, end: str, months: int, *options: int) -> list[str]:
    stub, rolled, month_ends = options
    count = dates.plan(
        days(start), days(end), months, dates.module.Stub(stub), roll(dates, rolled), month_ends == 1,
        sender=accounts.alice,
    )  # fmt: skip
    told = [str(EPOCH + timedelta(time.ms // 86_400_000)) for time in dates.state["schedules"][0]["dates"]]
    assert count == len(told)
    return told


def test_periods_are_counted_from_one_end(accounts: Any, dates: Any) -> None:
    def planned(*terms: Any) -> list[str]:
        return plan(dates, accounts, *terms)

    quarters = ["2024-04-30", "2024-07-31", "2024-10-31", "2025-01-31"]
    assert planned("2024-01-31", "2025-01-31", 3, 1, 0, 0) == quarters
    assert planned("2024-01-31", "2025-01-31", 3, 0, 0, 1) == quarters
    ends = ["2024-05-31", "2024-08-31", "2024-11-30", "2025-02-28"]
    assert planned("2024-02-29", "2025-02-28", 3, 1, 0, 1) == ends
    assert planned("2024-02-29", "2025-02-28", 3, 1, 0, 0) == ["2024-05-29", "2024-08-29", "2024-11-29", "2025-02-28"]
    first, last = (planned("2024-01-15", "2024-12-20", 3, stub, 0, 0) for stub in (0, 1))
    assert first == ["2024-03-20", "2024-06-20", "2024-09-20", "2024-12-20"]
    assert last == ["2024-04-15", "2024-07-15", "2024-10-15", "2024-12-20"]
    assert planned("1970-01-15", "1970-07-15", 3, 0, 0, 0) == ["1970-04-15", "1970-07-15"]
    assert planned("2024-01-15", "2024-02-01", 12, 0, 0, 0) == ["2024-02-01"]


def test_rolled_dates_ascend_and_are_business_days(accounts: Any, dates: Any) -> None:
    middles = ["2024-04-15", "2024-05-15", "2024-06-17", "2024-07-15", "2024-08-15", "2024-09-16"]
    assert plan(dates, accounts, "2024-03-15", "2024-09-15", 1, 1, MODIFIED, 0) == middles
    assert plan(dates, accounts, "2024-02-29", "2024-06-01", 1, 1, MODIFIED, 1) == [
        "2024-03-29", "2024-04-30", "2024-05-31", "2024-06-03",
    ]  # fmt: skip
    chance = random.Random(3)
    for _ in range(15):
        start = EPOCH + timedelta(chance.randrange(20_000, 24_000))
        end = start + timedelta(chance.randrange(1, 1_500))
        told = plan(
            dates,
            accounts,
            str(start),
            str(end),
            chance.randrange(1, 8),
            chance.randrange(2),
            chance.randrange(1, 5),
            1,
        )
        assert told == sorted(set(told))
        assert all(date.fromisoformat(text).weekday() < 5 for text in told)


def test_the_cursor_passes_what_has_come(chain: Any, accounts: Any, dates: Any) -> None:
    plan(dates, accounts, "2024-01-15", "2024-03-15", 1, 1, 0, 0)
    february, march = (Timestamp(days(text) * 86_400_000) for text in ("2024-02-15", "2024-03-15"))
    assert dates.upcoming(Timestamp(february.ms - 1)) == (february, False, 2)
    with chain.rejects("not due"):
        dates.take(Timestamp(february.ms - 1), sender=accounts.alice)
    assert dates.upcoming(february) == (february, True, 2)
    assert dates.take(march, sender=accounts.alice) == february
    assert dates.take(march, sender=accounts.alice) == march
    assert dates.upcoming(march) == (None, False, 0)
    with chain.rejects("schedule ended"):
        dates.take(march, sender=accounts.alice)


def test_dates_only_go_on(chain: Any, accounts: Any, dates: Any) -> None:
    assert dates.go_on(days("2024-01-15"), days("2024-03-15"), sender=accounts.alice) == 2
    assert dates.go_on(days("2024-03-15"), days("2024-05-15"), sender=accounts.alice) == 4
    with chain.rejects("dates out of order"):
        dates.go_on(days("2024-04-01"), days("2024-06-01"), sender=accounts.alice)
    with chain.rejects("dates out of order"):
        dates.go_on(days("2024-06-01"), days("2024-06-01"), sender=accounts.alice)
    with chain.rejects("too many dates"):
        dates.go_on(days("2025-01-01"), days("2080-01-01"), sender=accounts.alice)
