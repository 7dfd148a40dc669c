"""Days, months and numbers are written as CLDR has them, which Babel knows."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from babel import dates, numbers
from hypothesis import given
from hypothesis import strategies as st

from b24tools.core import i18n
from b24tools.render import formats

LOCALES = {"ru": "ru", "en": "en_GB"}  # in both the day stands before the month
YEAR = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]


@pytest.mark.parametrize("language", LOCALES)
def test_days_are_named_as_in_babel(language: str) -> None:
    """All days of a year, long and short, their months, and the letters above a calendar."""
    locale = LOCALES[language]
    forms = {
        formats.format_long_day: "EEEE, d MMMM y",
        formats.format_short_day: "d MMM",
        formats.format_month: "LLLL y",
    }
    letters = dates.get_day_names("narrow", "stand-alone", locale)

    with i18n.speaking(language):
        written = {form: [function(day) for day in YEAR] for function, form in forms.items()}
        assert [letters[day] for day in range(7)] == formats.get_weekday_letters()

    assert {form: [dates.format_date(day, form, locale) for day in YEAR] for form in forms.values()} == written


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 11, 16), date(2026, 11, 22), {"ru": "16–22 ноября 2026", "en": "16–22 November 2026"}),
        (
            date(2026, 9, 28),
            date(2026, 10, 4),
            {"ru": "28 сентября – 4 октября 2026", "en": "28 September – 4 October 2026"},
        ),
        (
            date(2026, 12, 28),
            date(2027, 1, 3),
            {"ru": "28 декабря 2026 – 3 января 2027", "en": "28 December 2026 – 3 January 2027"},
        ),
    ],
)
def test_days_name_month_and_year_once_where_that_is_enough(first: date, last: date, expected: dict[str, str]) -> None:
    written = {}
    for language in LOCALES:
        with i18n.speaking(language):
            written[language] = formats.format_days(first, last)

    assert expected == written


@given(st.integers(-10_000_000, 10_000_000), st.sampled_from([1, 2]), st.sampled_from(sorted(LOCALES)))
def test_numbers_are_written_and_rounded_as_by_babel(thousandths: int, digits: int, language: str) -> None:
    value = thousandths / 1000

    with i18n.speaking(language):
        written = formats.format_decimal(value, digits)

    assert numbers.format_decimal(value, f"0.{'0' * digits}", LOCALES[language]) == written
