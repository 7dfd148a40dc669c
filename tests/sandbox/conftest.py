"""The portals the tests of the sandbox ask."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from b24tools.sandbox import server
from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock
from tests.sandbox.shop import shop


@pytest.fixture
def clock() -> Clock:
    """Noon in Moscow."""
    return Clock()


@pytest.fixture
def portal(clock: Clock) -> Portal:
    """A bare portal: one administrator, one department; sleeping costs it no time."""
    return Portal(clock, sleep=lambda _seconds: None)


@pytest.fixture
def bare(portal: Portal) -> Asker:
    """Straight at the bare portal."""
    return Asker(portal)


@pytest.fixture(params=["in process", "port"])
def door(request: pytest.FixtureRequest, portal: Portal) -> Iterator[Asker]:
    """At the bare portal through either of its doors."""
    if request.param == "port":
        with server.serve(portal) as url, httpx.Client(timeout=10) as client:
            yield Asker(portal, client, url)
    else:
        with httpx.Client(transport=server.transport(portal), timeout=10) as client:
            yield Asker(portal, client)


@pytest.fixture
def ask(clock: Clock) -> Asker:
    """At the shop's portal."""
    return shop(clock)
