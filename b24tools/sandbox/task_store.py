"""The tasks of a portal, with the indexes that keep lists fast at 100,000 of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from b24tools.sandbox import php
from b24tools.sandbox.records import Task

INDEXED = {"RESPONSIBLE_ID": "responsible", "XML_ID": "xml_id"}
MOMENTS = {"CREATED_DATE": "created_at", "CLOSED_DATE": "closed_at"}
ALWAYS = (float("-inf"), float("inf"))


@dataclass
class Hints:
    """What a filter surely demands: enough to look at fewer tasks, never instead of its conditions."""

    ids: set[int] | None = None
    keys: dict[str, set[Any]] = field(default_factory=dict)
    after: int = 0
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add_values(self, name: str, value: Any) -> None:
        """Note that a column has one of these values."""
        if name == "ID":
            self.ids = set(map(php.to_int, php.values(value)))
        elif name in INDEXED:
            read = php.to_int if name == "RESPONSIBLE_ID" else php.to_text
            self.keys[name] = {_key(name, read(item)) for item in php.values(value)}

    def add_limit(self, name: str, sign: str, limit: int) -> None:
        """Note that a column is not beyond a limit."""
        if (name, sign) == ("ID", ">"):
            self.after = limit
        elif name in MOMENTS:
            first, last = self.spans.get(name, ALWAYS)
            self.spans[name] = (limit, last) if ">" in sign else (first, limit)


class TaskStore:
    """Tasks by id, in the order of ids."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._ids: list[int] = []
        self._index: dict[tuple[str, Any], set[int]] = {}
        self._moments: dict[str, list[tuple[int, int]]] = {name: [] for name in MOMENTS}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter([self._tasks[task_id] for task_id in self._ids])

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._tasks

    def __getitem__(self, task_id: int) -> Task:
        return self._tasks[task_id]

    def get(self, task_id: int) -> Task | None:
        return self._tasks.get(task_id)

    def next_id(self) -> int:
        """Take an id never used before."""
        self._last_id += 1
        return self._last_id

    def put(self, task: Task) -> Task:
        self._last_id = max(self._last_id, task.id)
        self._tasks[task.id] = task
        insort(self._ids, task.id)
        self._enter(task)
        return task

    def change(self, task: Task, **changes: Any) -> Task:
        """Save new values of a task's columns. Returns the task as it was."""
        before = replace(task, raw_dates=dict(task.raw_dates))
        self._leave(task)
        for name, value in changes.items():
            setattr(task, name, value)
            task.raw_dates.pop(name, None)
        self._enter(task)
        return before

    def drop(self, task_id: int) -> None:
        self._ids.remove(task_id)
        self._leave(self._tasks.pop(task_id))

    def _enter(self, task: Task) -> None:
        for name, attribute in INDEXED.items():
            self._index.setdefault(_key(name, getattr(task, attribute)), set()).add(task.id)
        for name, attribute in MOMENTS.items():
            if (moment := getattr(task, attribute)) is not None:
                insort(self._moments[name], (moment, task.id))

    def _leave(self, task: Task) -> None:
        for name, attribute in INDEXED.items():
            self._index[_key(name, getattr(task, attribute))].discard(task.id)
        for name, attribute in MOMENTS.items():
            if (moment := getattr(task, attribute)) is not None:
                moments = self._moments[name]
                del moments[bisect_left(moments, (moment, task.id))]

    def candidates(self, hints: Hints) -> Iterator[Task]:
        """Give every task that can meet the hints (and perhaps others), in the order of ids."""
        best = self._ids if hints.ids is None else sorted(hints.ids & self._tasks.keys())
        for keys in hints.keys.values():
            id_sets = [self._index.get(key, set()) for key in keys]
            if sum(map(len, id_sets)) * 4 < len(best):
                best = sorted(set().union(*id_sets))
        for name, (since, until) in hints.spans.items():
            moments = self._moments[name]
            first, last = bisect_left(moments, (since, 0)), bisect_left(moments, (until + 1, 0))
            if (last - first) * 4 < len(best):
                best = sorted(task_id for _, task_id in moments[first:last])
        for index in range(bisect_right(best, hints.after), len(best)):
            yield self._tasks[best[index]]


def _key(name: str, value: Any) -> tuple[str, Any]:
    return name, value if isinstance(value, int) else php.fold(value or "")
