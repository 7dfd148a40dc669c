"""A chart of bars over working time, as SVG: days are wide, nights, weekends and days off are narrow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from b24tools.render.formats import format_short_day, get_weekday_letters
from b24tools.render.markup import Html, element, join
from b24tools.render.page_parts import render_scrolled
from b24tools.scheduling.calendar import Interval, WorkCalendar, united

REST = 0.05  # how wide a second without work is beside one with work
SHADED_S = 2 * 3600  # shorter pauses are not shaded
LEAST = 0.3  # percent of the width: what is shorter could not be pointed at
DAY_WIDTH, REST_WIDTH = 2.1, 0.3  # rem that a working day and another one need at least
WEEK_SIGN, DAY_SIGN = 0.5, 0.4  # rem that a sign of their labels takes
BAR, GAP = 1.45, 0.3  # rem: the height of a bar, and what lies around it
TALL = "99rem"  # down to the end of a row, which is cut off there
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of work: its times (UTC), a class of the style, what stands in it, what a pointer is shown, its link.

    `hatched`: times in which its person is away. `is_begun`: somebody has started it.
    """

    span: Interval
    look: str
    label: str
    title: str
    href: str
    hatched: Sequence[Interval] = ()
    is_begun: bool = False


class Axis:
    """The time that a chart shows: `days` days from `first` on in the zone of the calendar; places are percents."""

    def __init__(self, calendar: WorkCalendar, first: date, days: int) -> None:
        self.days = [first + n * DAY for n in range(days)]
        self.calendar = calendar
        spans = {day: calendar.spans(day) for day in [first - DAY, *self.days]}
        self.work_days = [day for day in self.days if spans[day]]
        self.start_s, self.end_s = calendar.at(first, 0), calendar.at(first + days * DAY, 0)
        self.work = [
            (max(start, self.start_s), min(end, self.end_s))
            for start, end in united(span for day_spans in spans.values() for span in day_spans)
            if end > self.start_s and start < self.end_s
        ]
        self._moments, self._widths, self._places = [self.start_s], [REST], [0.0]
        for start, end in self.work:
            self._turn(start, 1.0)
            self._turn(end, REST)
        self._total = self._reach(self.end_s)

    @property
    def width(self) -> float:
        """How wide the chart has to be at least, in rem."""
        return len(self.work_days) * DAY_WIDTH + (len(self.days) - len(self.work_days)) * REST_WIDTH

    @property
    def rests(self) -> list[tuple[int, int]]:
        """The longer times without work, in seconds since 1970."""
        ends = [self.start_s, *(end for _start, end in self.work)]
        starts = [*(start for start, _end in self.work), self.end_s]
        return [(end, start) for end, start in zip(ends, starts, strict=True) if start - end >= SHADED_S]

    def place(self, moment: datetime | int) -> float:
        """Return where a moment, or a second since 1970, lies; what is outside lies at the edge."""
        second = moment if isinstance(moment, int) else int(moment.timestamp())
        return 100 * self._reach(min(max(second, self.start_s), self.end_s)) / self._total

    def shows(self, span: Interval) -> bool:
        """Tell whether any of it is to be seen."""
        return span[1].timestamp() > self.start_s and span[0].timestamp() < self.end_s

    def _turn(self, second: int, width: float) -> None:
        self._places.append(self._reach(second))
        self._moments.append(second)
        self._widths.append(width)

    def _reach(self, second: int) -> float:
        i = bisect_right(self._moments, second) - 1
        return self._places[i] + (second - self._moments[i]) * self._widths[i]


def draw_axis(axis: Axis, now: datetime, now_label: str) -> Html:
    """Draw the days, with the date where a week begins, and the moment."""
    letters = get_weekday_letters()
    weeks = [
        (axis.place(axis.calendar.at(day, 0)), format_short_day(day))
        for number, day in enumerate(axis.days)
        if day.weekday() == 0 or number == 0
    ]
    days = [
        (axis.place(axis.calendar.spans(day)[0][0]), f"{letters[day.weekday()]} {day.day}") for day in axis.work_days
    ]
    parts = [
        element("text", label, x=_percent(at), dx=".2rem", y="1rem", class_="week")
        for at, label in _leave_out(weeks, WEEK_SIGN, axis.width)
    ] + [
        element("text", label, x=_percent(at), dx=".15rem", y="2.2rem")
        for at, label in _leave_out(days, DAY_SIGN, axis.width)
    ]
    if axis.shows((now, now + DAY)):
        parts.append(element("title", now_label))
    return element("svg", *parts, class_="lane", height="2.6rem", aria_hidden="true")


def _leave_out(labels: list[tuple[float, str]], sign: float, width: float) -> list[tuple[float, str]]:
    """Leave out labels (place in percent, text) that would reach into the next one where the chart is narrowest.

    `sign`: how wide one is; `width`: of the chart, both in rem.
    """
    shown: list[tuple[float, str]] = []
    for at, label in reversed(labels):
        if not shown or at + 100 * sign * len(label) / width <= shown[-1][0]:
            shown.append((at, label))
    return shown[::-1]


def draw_ground(axis: Axis, now: datetime) -> Html:
    """Draw what lies behind all rows: nights and days off, the days, the moment; and the hatch of absences."""
    hatch = element(
        "pattern",
        element("path", d="M-1 1l2-2M0 7l7-7M6 8l2-2"),
        id="hatch",
        width="7",
        height="7",
        patternUnits="userSpaceOnUse",
    )
    parts = [element("defs", hatch)]
    for start, end in axis.rests:
        parts.append(_draw_rect(axis.place(start), axis.place(end), "rest"))
    for day in axis.days:
        at = _percent(axis.place(axis.calendar.at(day, 0)))
        kind = "monday" if day.weekday() == 0 else "day"
        if kind == "monday" or day in axis.work_days:
            parts.append(element("line", x1=at, x2=at, y1="0", y2="100%", class_=kind))
    if axis.shows((now, now + DAY)):
        at = _percent(axis.place(now))
        parts.append(element("line", x1=at, x2=at, y1="0", y2="100%", class_="now"))
    return element("svg", *parts, class_="ground", aria_hidden="true")


def draw_ruler(axis: Axis) -> Html:
    """Draw nothing, as wide as the chart has to be at least."""
    return element("svg", class_="ruler", width=f"{axis.width:.1f}rem", height="0", aria_hidden="true")


def draw_lane(
    axis: Axis,
    bars: Iterable[Bar],
    away: Iterable[tuple[Interval, str]] = (),
    wanted: tuple[datetime, str] | None = None,
) -> Html:
    """Draw the bars of a row, one below the other where they overlap, over the absences; `wanted`: a line."""
    parts = []
    for span, title in away:
        if axis.shows(span):
            box = _draw_rect(axis.place(span[0]), axis.place(span[1]), "away", TALL)
            parts.append(element("g", element("title", title), box))
    ends: list[datetime] = []
    for bar in sorted(bars, key=lambda bar: bar.span):
        if not axis.shows(bar.span):
            continue
        level = next((number for number, end in enumerate(ends) if end <= bar.span[0]), len(ends))
        ends[level : level + 1] = [bar.span[1]]
        parts.append(_draw_bar(axis, bar, level))
    if wanted is not None and axis.start_s <= wanted[0].timestamp() <= axis.end_s:
        at = _percent(axis.place(wanted[0]))
        line = element("line", x1=at, x2=at, y1="0", y2=TALL)
        parts.append(element("g", element("title", wanted[1]), line, class_="wanted"))
    height = max(len(ends), 1) * (BAR + GAP) + GAP
    return element("svg", *parts, class_="lane", height=f"{height:.2f}rem")


def _draw_bar(axis: Axis, bar: Bar, level: int) -> Html:
    left, right = axis.place(bar.span[0]), axis.place(bar.span[1])
    width = min(max(right - left, LEAST), 100 - min(left, 100 - LEAST))
    parts = [element("rect", width="100%", height="100%", rx="3")]
    for start, end in bar.hatched:
        begin, until = max(axis.place(start), left), min(axis.place(end), right)
        if begin < until:
            at, part = 100 * (begin - left) / width, 100 * (until - begin) / width
            parts.append(element("rect", x=_percent(at), width=_percent(part), height="100%", class_="away"))
    label = f"▸ {bar.label}" if bar.is_begun else bar.label
    parts.append(element("text", label, x=".35rem", y="1.02rem"))
    y = GAP + level * (BAR + GAP)
    box = {"x": _percent(min(left, 100 - LEAST)), "y": f"{y:.2f}rem", "width": _percent(width), "height": f"{BAR}rem"}
    return element(
        "a", element("title", bar.title), element("svg", *parts, **box), href=bar.href, class_=f"bar {bar.look}"
    )


def _draw_rect(left: float, right: float, kind: str, height: str = "100%") -> Html:
    return element("rect", x=_percent(left), width=_percent(right - left), height=height, class_=kind)


def _percent(value: float) -> Html:
    return Html(f"{value:.2f}%")


def choose_days(now: datetime, calendar: WorkCalendar, ends: Iterable[datetime], weeks: int, most: int) -> Axis:
    """Return the axis from this week's Monday on: so many weeks, or as many as the `ends` need, from 2 to `most`."""
    today = now.astimezone(calendar.zone).date()
    first = today - timedelta(days=today.weekday())
    if not weeks:
        last = max((end.astimezone(calendar.zone).date() for end in ends), default=today)
        weeks = min(max(-(-((last - first).days + 1) // 7), 2), most)
    return Axis(calendar, first, weeks * 7)


def chart(axis: Axis, now: datetime, corner: Html, now_label: str, rows: Sequence[Html], label: str) -> Html:
    """Put the parts of a chart together."""
    head = element("div", corner, class_="head")
    top = element("div", head, draw_axis(axis, now, now_label), class_="row axis")
    grid = element(
        "div", draw_ruler(axis), top, draw_ground(axis, now), element("ul", join(rows), class_="rows"), class_="grid"
    )
    return render_scrolled(grid, label, "scroll chart")
