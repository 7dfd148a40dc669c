"""The tasks of a portal with the indexes that keep lists fast at 100,000 of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from b24tools.sandbox import php
from b24tools.sandbox.records import Task


@dataclass
class Hints:
    """What a filter surely demands: enough to look at fewer tasks, never instead of its conditions."""

    after: int = 0
    ids: frozenset[int] | None = None
    responsible: frozenset[int] | None = None
    xml_ids: frozenset[str] | None = None
    closed_from: int | None = None
    closed_to: int | None = None


class TaskStore:
    """Tasks by id, in the order of ids."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._ids: list[int] = []
        self._by_responsible: dict[int, list[int]] = {}
        self._by_xml_id: dict[str, set[int]] = {}
        self._closed: list[tuple[int, int]] = []
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
        """The task, or None."""
        return self._tasks.get(task_id)

    def next_id(self) -> int:
        """An id never used before."""
        self._last_id += 1
        return self._last_id

    def put(self, task: Task) -> Task:
        """Save a new task."""
        self._last_id = max(self._last_id, task.id)
        self._tasks[task.id] = task
        insort(self._ids, task.id)
        self._index(task)
        return task

    def change(self, task: Task, **changes: Any) -> Task:
        """Save new values of a task's columns. Returns the task as it was."""
        before = replace(task, raw_dates=dict(task.raw_dates))
        self._unindex(task)
        for name, value in changes.items():
            setattr(task, name, value)
            task.raw_dates.pop(name, None)
        self._index(task)
        return before

    def drop(self, task_id: int) -> None:
        """Delete a task."""
        task = self._tasks.pop(task_id)
        _remove(self._ids, task_id)
        self._unindex(task)

    def _index(self, task: Task) -> None:
        insort(self._by_responsible.setdefault(task.responsible, []), task.id)
        if task.xml_id is not None:
            self._by_xml_id.setdefault(php.fold(task.xml_id), set()).add(task.id)
        if task.closed_at is not None:
            insort(self._closed, (task.closed_at, task.id))

    def _unindex(self, task: Task) -> None:
        _remove(self._by_responsible[task.responsible], task.id)
        if task.xml_id is not None:
            self._by_xml_id[php.fold(task.xml_id)].discard(task.id)
        if task.closed_at is not None:
            _remove(self._closed, (task.closed_at, task.id))

    def candidates(self, hints: Hints) -> Iterator[Task]:
        """Every task that can meet the hints (and perhaps others), in the order of ids."""
        ids = self._candidate_ids(hints)
        for index in range(bisect_right(ids, hints.after), len(ids)):
            yield self._tasks[ids[index]]

    def _candidate_ids(self, hints: Hints) -> list[int]:
        if hints.ids is not None:
            return sorted(task_id for task_id in hints.ids if task_id in self._tasks)
        if hints.xml_ids is not None:
            return sorted({task_id for key in hints.xml_ids for task_id in self._by_xml_id.get(key, ())})
        best = self._ids
        if hints.responsible is not None:
            lists = [self._by_responsible.get(person, []) for person in hints.responsible]
            if sum(map(len, lists)) * 4 < len(best):
                best = sorted(task_id for ids in lists for task_id in ids)
        if hints.closed_from is not None or hints.closed_to is not None:
            first = 0 if hints.closed_from is None else bisect_left(self._closed, (hints.closed_from, 0))
            last = len(self._closed)
            if hints.closed_to is not None:
                last = bisect_left(self._closed, (hints.closed_to + 1, 0))
            if (last - first) * 4 < len(best):
                best = sorted(task_id for _, task_id in self._closed[first:last])
        return best


def _remove(rows: list[Any], row: Any) -> None:
    at = bisect_left(rows, row)
    if at < len(rows) and rows[at] == row:
        del rows[at]
