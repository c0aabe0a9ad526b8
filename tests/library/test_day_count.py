"""Year fractions against published examples and a count day by day."""

from __future__ import annotations

import random
from calendar import isleap, monthrange
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from execution.lang import Decimal

EPOCH = date(1970, 1, 1)
ACT_360, ACT_365, ACT_ACT, US, EUROPE = range(5)

# convention, start, end, years as printed. ISDA, "EMU and market conventions" (1998), for ACT/ACT; ISDA's sheet
# "30/360 methods" (2007) for the others, February by the rules of the Securities Industry Association.
PUBLISHED = (
    (ACT_ACT, "2003-11-01", "2004-05-01", "61/365 + 121/366"),
    (ACT_ACT, "1999-02-01", "1999-07-01", "150/365"),
    (ACT_ACT, "1999-07-01", "2000-07-01", "184/365 + 182/366"),
    (ACT_ACT, "2002-08-15", "2003-07-15", "334/365"),
    (ACT_ACT, "1999-07-30", "2000-01-30", "155/365 + 29/366"),
    (ACT_ACT, "2000-01-30", "2000-06-30", "152/366"),
    (US, "2007-01-15", "2007-01-31", "16/360"),
    (US, "2007-01-31", "2007-02-28", "28/360"),
    (US, "2007-02-28", "2007-03-31", "30/360"),
    (US, "2006-08-31", "2007-02-28", "178/360"),
    (US, "2007-02-28", "2007-08-31", "180/360"),
    (US, "2008-02-29", "2009-02-28", "360/360"),
    (US, "2007-08-31", "2008-02-29", "179/360"),
    (US, "2007-09-30", "2007-10-31", "30/360"),
    (US, "2007-12-15", "2008-12-31", "376/360"),
    (EUROPE, "2007-01-15", "2007-01-31", "15/360"),
    (EUROPE, "2007-01-31", "2007-02-28", "28/360"),
    (EUROPE, "2007-02-28", "2007-03-31", "32/360"),
    (EUROPE, "2007-02-28", "2007-08-31", "182/360"),
    (EUROPE, "2008-02-29", "2009-02-28", "359/360"),
    (ACT_360, "2024-01-01", "2025-01-01", "366/360"),
    (ACT_365, "2024-01-01", "2025-01-01", "366/365"),
)


def days(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def nearest(value: Fraction) -> int:
    """Half to even at the 18th place, as Python rounds a Fraction."""
    return round(value * 10**18)


def by_hand(convention: int, start: date, end: date) -> Fraction:
    if convention in (ACT_360, ACT_365):
        return Fraction((end - start).days, 360 if convention == ACT_360 else 365)
    if convention == ACT_ACT:
        span = (start + timedelta(number) for number in range((end - start).days))
        return sum((Fraction(1, 366 if isleap(one.year) else 365) for one in span), Fraction(0))
    first, last = start.day, end.day
    if convention == US:
        if start.month == 2 and ends(start):
            first = 30
            last = 30 if end.month == 2 and ends(end) else last
        last = 30 if last == 31 and first > 29 else last
        first = min(first, 30)
    else:
        first, last = min(first, 30), min(last, 30)
    return Fraction(360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first, 360)


def ends(day: date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]


@pytest.fixture
def dates(chain: Any, accounts: Any) -> Any:
    return chain.deploy("dates.py", sender=accounts.alice)


def test_published_examples(dates: Any) -> None:
    for convention, start, end, printed in PUBLISHED:
        found = dates.years(dates.module.DayCount(convention), days(start), days(end))
        assert found.raw == nearest(sum(map(Fraction, printed.split(" + ")), Fraction(0))), (convention, start, end)


def test_every_convention_is_what_a_count_by_hand_gives(dates: Any) -> None:
    chance = random.Random(1)
    for number in range(200):
        start = EPOCH + timedelta(chance.randrange(80_000))
        if number % 3 == 0:
            start = start.replace(day=monthrange(start.year, start.month)[1])
        end = start + timedelta(chance.choice((chance.randrange(40), chance.randrange(4_000))))
        if number % 4 == 0:
            end = end.replace(day=monthrange(end.year, end.month)[1])
        convention = number % 5
        found = dates.years(dates.module.DayCount(convention), (start - EPOCH).days, (end - EPOCH).days)
        assert found.raw == nearest(by_hand(convention, start, end)), (convention, start, end)


def test_whole_years_are_whole_and_empty_periods_empty(chain: Any, dates: Any) -> None:
    for convention in (ACT_ACT, US, EUROPE):
        kind = dates.module.DayCount(convention)
        assert dates.years(kind, days("1999-03-01"), days("1999-03-01")) == Decimal(0)
        assert dates.years(kind, days("2001-01-01"), days("2011-01-01")) == Decimal(10)
    with chain.rejects("dates out of order"):
        dates.years(dates.module.DayCount(ACT_360), 2, 1)
