"""A portal that answers by a script, and a clock that only moves when somebody sleeps."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

import httpx

from b24tools.bitrix24.batch import Answer, Query
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.rate_limit import RateLimiter

SECRET = "s3cr3tc0de"
URL = f"https://plant.bitrix24.ru/rest/7/{SECRET}/"
REQUEST = httpx.Request("POST", URL)
START = 1_790_000_000.0

Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class FakeTime:
    """The clock and the sleep of a test; `naps` is what was slept."""

    def __init__(self) -> None:
        self.now = START
        self.naps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


class Script(httpx.BaseTransport):
    """Plays its steps one by one and keeps what was asked: (method, parameters)."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.asked: list[tuple[str, Any]] = []
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        self.asked.append((request.url.path.rpartition("/")[2], json.loads(request.content)))
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)

    @property
    def methods(self) -> list[str]:
        return [method for method, _params in self.asked]


def open_client(script: httpx.BaseTransport, time: FakeTime | None = None, **options: Any) -> Client:
    """A client of the script, patient by the fake clock, with a jitter of always one half."""
    time = time or FakeTime()
    rate_limiter = options.pop("rate_limiter", None) or RateLimiter(None, clock=time.clock, sleep=time.sleep)
    options = {"clock": time.clock, "sleep": time.sleep, "random": lambda: 0.5, **options}
    return Client(options.pop("url", URL), rate_limiter=rate_limiter, transport=script, **options)


def reserve(rate_limiter: RateLimiter, on_wait: Callable[[float], None] | None = None) -> float:
    """Reserve a request; the seconds that were waited for it."""
    waits: list[float] = []
    rate_limiter.acquire("user.get", on_wait or waits.append)
    return sum(waits, 0.0)


def send(client: Client, *commands: Query[Any]) -> list[Answer]:
    """Send these in a batch, where their keys are c0, c1, …; what came of each."""
    batch = client.new_batch()
    pending = [batch.add(command) for command in commands]
    batch.send()
    return [entry.item for entry in pending]


def ok(result: Any, **more: Any) -> httpx.Response:
    """An answer with a result."""
    return httpx.Response(200, json={"result": result, **more})


def error(code: Any, description: str = "", status: int = 400, **more: Any) -> httpx.Response:
    """An answer with an error."""
    return httpx.Response(status, json={"error": code, "error_description": description, **more})


def batch_answer(result: Any = (), failed: Any = (), **maps: Any) -> httpx.Response:
    """An answer to a batch; what is empty is `[]`, as PHP has it."""
    return ok(
        {
            "result": result or [],
            "result_error": failed or [],
            "result_total": maps.get("total", []),
            "result_next": maps.get("next", []),
            "result_time": maps.get("time", []),
        }
    )


def check_no_secret(error: BaseException) -> None:
    """The secret is in no text that a person or a log could get to see."""
    shown = [str(error), repr(error), json.dumps(vars(error), default=str), *traceback.format_exception(error)]
    while error.__context__ is not None:
        error = error.__context__
        shown += [str(error), repr(error)]
    assert SECRET not in "".join(shown)
