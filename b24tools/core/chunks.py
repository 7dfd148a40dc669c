"""Long sequences in portions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Value = TypeVar("Value")


def chunked(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield the values in lists of at most `size`."""
    rest = iter(values)
    while portion := list(islice(rest, size)):
        yield portion
