"""Fixtures of the leaderboard's tests: an empty database, and the ranking of a small plant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from b24tools.core import periods
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard import Board
from b24tools.store import Store, open_store
from tests.support import closed_tasks as closed
from tests.support.closed_tasks import NOW, THIS


@pytest.fixture
def opened() -> Iterator[Store]:
    """An empty database."""
    with closing(open_store(None)) as memory:
        yield memory


@pytest.fixture
def plant(opened: Store) -> Callable[..., Board]:
    """The ranking of the small plant."""
    closed.plant(opened)

    def board(period: periods.Period = THIS, **options: Any) -> Board:
        return leaderboard.board(opened, period, now=NOW, **options)

    return board
