"""Whatever is sent: an answer, never a failure of ours, and nothing stored that is not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b24tools import context
from b24tools.sandbox import demo_company
from tests.support.server import OUTGOING, Served, order, serving

TRIES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
TYPES = st.sampled_from(
    ["", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
KEYS = st.sampled_from([*order(), "РекоммендуемаяДатаСдачи", "ПрисоединенныеФайлы", "Выполнен"])
BRACKETS = st.text(st.sampled_from("abIDFELTSau[]=&%5B0+\x00"), max_size=80)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all of it."""
    with serving(demo_company.build(context.now), tmp_path_factory.mktemp("fuzz")) as opened:
        yield opened


def check(served: Served, path: str, body: bytes, content_type: str) -> None:
    """A refusal with a reason, or a success: never 500."""
    answer = served.client.post(path, content=body, headers={"Content-Type": content_type} if content_type else {})
    assert answer.status_code in (200, 202, 400, 403, 413, 422), (answer.status_code, answer.text)
    assert answer.json()


@TRIES
@given(path=st.sampled_from(["/", "/plan", "/configs", "/webhook"]), body=st.binary(max_size=300), content_type=TYPES)
def test_any_bytes(served: Served, path: str, body: bytes, content_type: str) -> None:
    """To every address that takes a body."""
    check(served, path, body, content_type)


@pytest.mark.long
@TRIES
@given(path=st.sampled_from(["/", "/plan", "/configs", "/webhook"]), value=JSON)
def test_any_json(served: Served, path: str, value: object) -> None:
    """Likewise."""
    check(served, path, json.dumps(value).encode(), "application/json")


@pytest.mark.long
@TRIES
@given(changes=st.dictionaries(KEYS, JSON, max_size=3))
def test_an_order_with_anything_in_it(served: Served, changes: dict[str, object]) -> None:
    """Planned, or refused."""
    check(served, "/plan", json.dumps(order() | changes).encode(), "application/json")


@TRIES
@given(form=BRACKETS, tail=st.sampled_from(["", f"&auth[application_token]={OUTGOING}"]))
def test_any_form(served: Served, form: str, tail: str) -> None:
    """What is stored holds no token."""
    check(served, "/webhook", f"{form}{tail}".encode(), "application/x-www-form-urlencoded")
    with closing(served.open_store()) as opened:
        assert not [event for event in opened.events.find() if OUTGOING in event.body]
