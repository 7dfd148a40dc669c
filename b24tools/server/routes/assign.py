"""`POST /` and `POST /plan`: orders from 1C, and what 1C is answered."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Query, Request

from b24tools import context
from b24tools.assignment.report import FAILED, OrderResult, TaskResult, list_warnings
from b24tools.assignment.tools import Origin
from b24tools.core import errors
from b24tools.core.config import Settings
from b24tools.core.i18n import _
from b24tools.jobs import assign
from b24tools.onec.decoding import COMPRESSIONS, list_compressions
from b24tools.onec.order import Order, read_orders
from b24tools.render import assign as render_assign
from b24tools.render.messages import make_writer
from b24tools.server import models, openapi
from b24tools.server.auth import read_caller
from b24tools.server.responses import Reply, describe_problem, retry_after
from b24tools.server.services import OrderBody, Services

_log = logging.getLogger("b24tools.serve")
COMMAND = "POST /"  # in log and history
OK = {"message": "ok"}
# a client of the replaced system compares it, so it is the same in every language
UPDATE_FAILED = {"message": "При обновлении задачи произошла ошибка"}
REFUSALS = (408, 413, 415, 422)
PARTIAL = 207
WHEN_PARTIAL = "207: the answer in place of 500 where some of the lines are done."
ORDERS_AT_ONCE, PLANS_AT_ONCE = 20, 5  # the thread pool has 40 threads, and the board wants some


class Places:
    """A number of orders that may be under way at once; who comes when all places are taken is asked to come later."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    async def take(self, _body: OrderBody) -> AsyncIterator[None]:
        """Take a place once the body is complete: a slow sender holds up no other."""
        if self._taken >= self._most:
            raise self.busy()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    def busy(self) -> errors.Busy:
        """Return the error that asks to come later."""
        return errors.Busy(_("{n} orders are under way").format(n=self._taken), _("Try again a little later."))


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""
    session = services.session
    zone = session.settings.zone
    reference = {"$ref": "#/components/schemas/Order"}
    body = openapi.describe_body(
        {
            "application/json": {
                "schema": {"oneOf": [reference, {"type": "array", "items": reference, "minItems": 1}]},
            }
        },
        description="An order or a list of orders, up to 64 MiB; Content-Type does not matter. It may be gzipped.",
    )
    orders_places, plan_places = Places(ORDERS_AT_ONCE), Places(PLANS_AT_ONCE)
    writing = threading.Lock()

    @api.post(
        "/",
        tags=["1C"],
        dependencies=[Depends(orders_places.take, scope="function")],
        summary="An order from 1C, or a list of them, becomes tasks",
        openapi_extra=body,
        response_model=models.OrderAnswer,
        responses=openapi.describe_answers(*REFUSALS)
        | openapi.describe_answers(PARTIAL, 500, 503, model=models.OrderProblem, common=()),
    )
    def send_order(
        request: Request,
        body: OrderBody,
        later: BackgroundTasks,
        details: Annotated[bool, Query(description="Add what was done for each line.")] = False,
        partial: Annotated[int | None, Query(ge=PARTIAL, le=PARTIAL, description=WHEN_PARTIAL)] = None,
    ) -> Reply:
        orders = read_request(request, body, session.settings)
        # one after the other: those who ask again and again for the lock of all processes may starve each other
        if not writing.acquire(timeout=session.settings.retry_seconds):
            raise orders_places.busy()
        try:
            with services.intake.watch("order", errors.OrderError, errors.PortalError, errors.Busy):
                results = _assign(session, orders, read_caller(request), dry_run=False)
        finally:
            writing.release()
        later.add_task(gc.collect, 0)  # so that it is not the next order that has to wait for it
        if session.settings.notify:
            later.add_task(_send_messages, session)
        more = {"orders": render_assign.data(results, zone)} if details else {}
        return reply(results, services.now(), more, services.scrub, in_part=partial or 500)

    @api.post(
        "/plan",
        tags=["1C"],
        dependencies=[Depends(plan_places.take, scope="function")],
        summary="The same order planned; nothing is written",
        openapi_extra=body,
        response_model=list[models.AssignedOrder],
        responses=openapi.describe_answers(*REFUSALS),
    )
    def plan_order(request: Request, body: OrderBody) -> Reply:
        orders = read_request(request, body, session.settings)
        results = _assign(session, orders, read_caller(request), dry_run=True)
        data = render_assign.data(results, zone)
        for shown, order in zip(data, results, strict=True):
            if order.warnings:  # the command has them beside its data
                shown["warnings"] = list(map(services.scrub, order.warnings))
        return Reply(data)


def read_request(request: Request, body: bytes, settings: Settings) -> list[Order]:
    """Read the orders of a body as its headers say it is written; 415 for a compression that is not known here."""
    encoding = request.headers.get("content-encoding", "")
    names = list_compressions(encoding)
    if len(names) > 1 or any(name not in COMPRESSIONS for name in names):
        shown = ", ".join(names)[:100]
        detail = _("Content-Encoding: {name} is not understood; send gzip, deflate, or the JSON as it is").format(
            name=shown
        )
        raise HTTPException(415, detail, {"Accept-Encoding": "gzip, deflate"})
    return read_orders(
        body,
        settings.zone,
        content_type=request.headers.get("content-type", ""),
        content_encoding=encoding,
        hide=settings.order_scrubber.hide,
    )


def _assign(session: context.Session, orders: list[Order], caller: str, *, dry_run: bool) -> list[OrderResult]:
    origin = Origin(COMMAND, session.settings.scrubber.scrub(caller))
    with session.open_planning(read_only=dry_run, origin=origin) as (tools, rules):
        return assign.orders(orders, tools, rules, dry_run=dry_run)


def _send_messages(session: context.Session) -> None:
    """Send what people have to know, after the answer; a failure is only logged."""
    for problem in session.send_messages(make_writer(session.settings.zone, context.now())).problems:
        _log.warning("%s", problem.line)


def reply(
    results: Sequence[OrderResult],
    now: datetime,
    more: dict[str, Any],
    scrub: Callable[[str], str] = str,
    *,
    in_part: int = 500,
) -> Reply:
    """Answer `POST /`: from what was done, and with `more` beside it.

    | what failed                                    | answer |
    |------------------------------------------------|--------|
    | nothing                                        | 200 ok |
    | anything that will pass (portal busy)          | 503    |
    | only updates and completions of existing tasks | 200 При обновлении… |
    | anything else, where some lines are done       | `in_part` |
    | anything else                                  | 500    |

    Warnings, where there are any, stand beside it: whatever was deleted or left alone is among them.
    """
    failures = [task for order in results if order.exit_status for task in order.tasks if task.outcome == FAILED]
    passing = [task.error for task in failures if task.error is not None and task.error.exit_status == errors.TRY_LATER]
    headers = {}
    if not any(order.exit_status for order in results):
        status, content = 200, OK
    elif passing:
        status, headers = 503, retry_after(passing, now)
        content = describe_problem(summarize(results), passing[0], scrub)
    elif failures and all(task.task_id is not None for task in failures):
        status, content = 200, UPDATE_FAILED
    else:
        error = next((task.error for task in failures if task.error), errors.B24ToolsError(""))
        is_done = any(task.outcome != FAILED for order in results for task in order.tasks)
        status = in_part if is_done else 500
        content = describe_problem(summarize(results), error, scrub)
    said = (f"{order.number}: {warning}" for order in results for warning in list_warnings(order))
    warnings = [scrub(warning) for warning in dict.fromkeys(said)]
    return Reply(content | ({"warnings": warnings} if warnings else {}) | more, status, headers)


def summarize(results: Iterable[OrderResult]) -> str:
    """Say which lines are done, which failed and why, in one text that 1C can show."""
    parts = []
    for order in results:
        done = [_name(task) for task in order.tasks if task.outcome != FAILED]
        failed = [
            _name(task) + (f" - {task.error.message.rstrip('.')}" if task.error else "")
            for task in order.tasks
            if task.outcome == FAILED
        ]
        words = [
            *([_("done: {lines}").format(lines=", ".join(done))] if done else []),
            *([_("failed: {lines}").format(lines="; ".join(failed))] if failed else []),
        ]
        parts.append(_("order {number} - {words}").format(number=order.number, words="; ".join(words)))
    return ". ".join(parts)


def _name(task: TaskResult) -> str:
    return task.position if task.task_id is None else f"{task.position} (#{task.task_id})"
