"""calendar.json: what a user may write there, and what he is told when it cannot be read."""

from __future__ import annotations

import contextlib
import json
from contextlib import closing
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools import context
from b24tools.core import config, errors
from b24tools.scheduling.calendar import DAY_OFF, DayRule, Shift, WorkCalendar
from b24tools.scheduling.calendar_file import OwnDays, parse
from b24tools.store import open_store

HOUR = 3600
NO_DAY = frozenset[int]()
SAMPLE = {
    "2026-12-31": "off",
    "2027-01-09": "work",
    "2026-12-30": "short",
    "2027-03-06": "9:00-15:00",
    "2027-03-13": "8:30 - 12:00, 13:00–17:30",
    "2027-05-08": "as friday",
    "checked": [2027, 2028],
}


def test_the_sample_of_the_readme() -> None:
    """Off, worked, short, hours, as another weekday, and the years that are vouched for."""
    days = {
        date(2026, 12, 31): DAY_OFF,
        date(2027, 1, 9): DayRule(worked=True),
        date(2026, 12, 30): DayRule(worked=True, shorter_s=HOUR),
        date(2027, 3, 6): DayRule(shifts=(Shift(NO_DAY, 9 * HOUR, 15 * HOUR),)),
        date(2027, 3, 13): DayRule(
            shifts=(Shift(NO_DAY, 8 * HOUR + 1800, 12 * HOUR), Shift(NO_DAY, 13 * HOUR, 17 * HOUR + 1800))
        ),
        date(2027, 5, 8): DayRule(as_weekday=5),
    }
    assert OwnDays(days, frozenset({2027, 2028})) == parse(json.dumps(SAMPLE).encode(), "calendar.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_it_may_be_in_russian_and_in_any_editors_encoding(encoding: str) -> None:
    """Words and dates in Russian, whatever their case, ё as е."""
    text = (
        '{" 31.12.2026": "Выходной", "9.01.2027": "рабочий", "2026-12-30": "Сокращённый", "2027-05-08": "как  пятница"}'
    )
    expected = {
        date(2026, 12, 31): DAY_OFF,
        date(2027, 1, 9): DayRule(worked=True),
        date(2026, 12, 30): DayRule(worked=True, shorter_s=HOUR),
        date(2027, 5, 8): DayRule(as_weekday=5),
    }
    assert expected == parse(text.encode(encoding), "calendar.json").days


def test_an_empty_object_is_no_days() -> None:
    """So is a year alone."""
    assert OwnDays() == parse(b"{}", "calendar.json")
    assert OwnDays(checked=frozenset({2027})) == parse(b'{"Checked": 2027}', "calendar.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"2026-12-31": "of"}', "'2026-12-31': \"of\" is none of off, work, short, as friday, 9:00-15:00"),
        ('{"2026-12-31": true}', "'2026-12-31': true is none of off, work, short, as friday, 9:00-15:00"),
        ('{"2026-12-31": {"a": 1}}', "'2026-12-31': {\"a\": 1} is none of off, work, short, as friday, 9:00-15:00"),
        ('{"2026-12-31": "as freitag"}', "'2026-12-31': \"as freitag\" is none of"),
        ('{"2026-12-31": "9:00-25:00"}', "'2026-12-31': \"9:00-25:00\" is none of"),
        ('{"2026-12-31": "24:00-6:00"}', "'2026-12-31': \"24:00-6:00\" is none of"),
        ('{"2026-12-31": "9:00-9:00"}', "'2026-12-31': \"9:00-9:00\" is none of"),
        ('{"2026-12-31": "9:70-10:00"}', "'2026-12-31': \"9:70-10:00\" is none of"),
        ('{"2026-12-31": "9:00-10:00,"}', "'2026-12-31': \"9:00-10:00,\" is none of"),
        ('{"2026-13-31": "off"}', "'2026-13-31' is not a day like 2026-12-31"),
        ('{"31.12": "off"}', "'31.12' is not a day like 2026-12-31"),
        ('{"2026-12-31": "off", "31.12.2026": "work"}', "the day '31.12.2026' comes twice"),
        ('{"checked": ["2027"]}', "'checked': [\"2027\"] is no list of years like [2027]"),
        ('{"checked": true}', "'checked': true is no list of years like [2027]"),
        ('["2026-12-31"]', "an object was expected, of days and what they are"),
        ('"2026-12-31"', "an object was expected, of days and what they are"),
        ('{"2026-12-31": "off"', "it is not JSON (Expecting ',' delimiter: line 1 column 21 (char 20))"),
        ("", "it is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("[" * 100_000, "it is not JSON"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    """The file, the key, the value, what was expected, and an example."""
    with pytest.raises(errors.ConfigError) as caught:
        parse(text.encode(), "/data/calendar.json")
    assert f"/data/calendar.json: {message}" == caught.value.message[: len(f"/data/calendar.json: {message}")]
    assert '{"2026-12-31": "off"' in caught.value.hint


@pytest.mark.long
@settings(max_examples=60, deadline=None, database=None)
@given(
    st.binary(max_size=40) | st.dictionaries(st.text(max_size=12), st.text(max_size=12)).map(json.dumps).map(str.encode)
)
def test_junk_is_refused_and_never_crashes(raw: bytes) -> None:
    """Whatever is in the file, days come out or a ConfigError."""
    with contextlib.suppress(errors.ConfigError):
        assert isinstance(parse(raw, "calendar.json"), OwnDays)


def test_a_worked_day_has_the_hours_of_the_first_day_of_the_week_that_has_some() -> None:
    """In a week of Tuesday to Friday a Saturday is worked as Tuesday, a Friday as Friday; without shifts none is."""
    zone = ZoneInfo("Europe/Moscow")
    shifts = (
        Shift(frozenset({2, 3, 4}), 9 * HOUR, 18 * HOUR, HOUR),
        Shift(frozenset({5}), 9 * HOUR, 15 * HOUR, 0),
    )
    days = {date(2026, 11, day): DayRule(worked=True, shorter_s=HOUR) for day in (27, 28, 30)}
    calendar = WorkCalendar(zone, shifts, days)
    assert [5 * HOUR, 7 * HOUR, 7 * HOUR] == [calendar.working_s(day) for day in sorted(days)]
    assert 0 == WorkCalendar(zone, (), days).working_s(date(2026, 11, 28))


def test_the_file_lies_in_the_data_folder(tmp_path: Path) -> None:
    """Without it there are no days; a folder in its place, or junk, is an error that names it."""
    chosen = config.load({"B24_DATA_DIR": str(tmp_path)})
    assert OwnDays() == context.own_days(chosen)
    path = tmp_path / "calendar.json"
    path.write_text('{"2026-12-31": "off"}', encoding="utf-8")
    assert OwnDays({date(2026, 12, 31): DAY_OFF}) == context.own_days(chosen)
    with closing(open_store(None)) as opened:
        rules = context.assign_rules(chosen, opened, {})
        assert ("RU", context.own_days(chosen)) == (rules.country, rules.own)
    path.write_text('{"2026-12-31": "maybe"}', encoding="utf-8")
    with pytest.raises(errors.ConfigError, match=f"{path}: '2026-12-31': \"maybe\" is none of"):
        context.own_days(chosen)
    path.unlink()
    path.mkdir()
    with pytest.raises(errors.ConfigError, match=f"{path} cannot be read"):
        context.own_days(chosen)
