"""The REST interface: from an HTTP request over the faults ordered for it to a method, or a batch of them, and back.

Statuses are those of the server's own code, which differ from the documentation's for four codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from b24tools.sandbox import http, php, php_query
from b24tools.sandbox.faults import ConnectionCut, Entry, Fault
from b24tools.sandbox.http import Request, Response
from b24tools.sandbox.limits import BLOCKED_METHOD, TOO_MANY
from b24tools.sandbox.methods import Answer, Call, RestError

if TYPE_CHECKING:
    from b24tools.sandbox.records import User
    from b24tools.sandbox.state import Portal

DEFAULT_SECONDS: Final = 0.05
MAX_COMMANDS: Final = 50
NOT_IN_BATCH: Final = ("batch", "upload", "download")
# The match runs to the next whitespace: whatever is glued to a reference is swallowed with it
REFERENCE: Final = re.compile(r"\$(result|next|total|time|error)(\S*)", re.IGNORECASE)
STEP: Final = re.compile(r"\[([^\]]+)\]")


def handle(
    portal: Portal,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    scheme: str = "https",
    read_timeout_s: float | None = None,
) -> Response:
    """Answer one HTTP request. Raises ConnectionCut where the client is to see no answer.

    GET and POST are alike, so `method` decides nothing. `read_timeout_s` is the client's read timeout, for a door
    that cannot measure it.
    """
    request = http.read(path, query, headers, body, scheme, portal.folder)
    with portal.lock:
        run_late(portal, due_only=True)
        if not request.method:
            return Response(404, http.HTML_HEADERS, b"<html><body><h1>404 Not Found</h1></body></html>")
        entry = _log(portal, request)
        # Names are compared as text: a Cyrillic one in the server's settings is never what a client sends
        if portal.moved_to is not None and portal.moved_to.rstrip("/") != f"{request.scheme}://{request.host}":
            entry.outcome = "moved"
            return Response(302, http.HTML_HEADERS | {"Location": portal.moved_to.rstrip("/") + request.target}, b"")
        if portal.rate_limit and not portal.rate.admit(portal.now().timestamp()):
            entry.outcome = TOO_MANY[0]
            return http.failure(RestError(*TOO_MANY))
        fault = portal.faults.take(entry.ordinal, request.method, [command.method for command in entry.commands])
        if fault is None:
            return execute(portal, request, entry)
        entry.outcome = fault.kind
    return _apply_fault(portal, fault, request, entry, read_timeout_s)


def _log(portal: Portal, request: Request) -> Entry:
    """Log a request, and the commands of a batch: one that is not a string is skipped without a trace."""

    def writes(name: str) -> bool:
        return name in portal.methods and portal.methods[name].writes

    entry = Entry(len(portal.log) + 1, portal.now(), request.method, request.params, writes(request.method))
    if request.method == "batch":
        entry.params = {}
        for key, text in php.items(php.upper_keys(request.params).get("CMD")):
            if isinstance(text, str):
                # as parse_url and parse_str have it: "#" cuts the rest, "+" is a space, everything becomes text
                name, _, query = text.partition("#")[0].partition("?")
                name = unquote_plus(name).lower()
                params = php_query.decode(query)
                entry.commands.append(Entry(entry.ordinal, entry.at, name, params, writes(name), key))
        entry.is_write = any(command.is_write for command in entry.commands)
    portal.log.append(entry)
    return entry


def _apply_fault(portal: Portal, fault: Fault, request: Request, entry: Entry, timeout_s: float | None) -> Response:
    delay = fault.delay_s or 0.0
    match fault.kind:
        case "unreachable":
            raise ConnectionCut("unreachable")
        case "cut_before":
            raise ConnectionCut("cut")
        case "cut_after":
            execute(portal, request, entry)
            raise ConnectionCut("cut")
        case "late":
            due = None if fault.delay_s is None else portal.now() + timedelta(seconds=delay)
            portal.late.append((due, request, entry))
            raise ConnectionCut("cut", later_s=fault.delay_s)
        case "slow":
            portal.sleep(delay if timeout_s is None else min(delay, timeout_s))
            response = execute(portal, request, entry)
            if timeout_s is not None and delay > timeout_s:
                raise ConnectionCut("timeout")
            return response
        case "half":
            return replace(execute(portal, request, entry), truncated=True)
        case "half_batch":
            return execute(portal, request, entry, drop=fault.drop, skip=0 if fault.executed else fault.drop)
    if fault.executed:
        execute(portal, request, entry)
    if fault.kind == "html":
        return Response(fault.status or 502, http.HTML_HEADERS, fault.page())
    refusal = http.failure(fault.refusal())
    return refusal if fault.kind == "limit" else _add_noise(portal, refusal)  # that limit is the front end's, not PHP's


def run_late(portal: Portal, *, due_only: bool = False) -> int:
    """Do the work of `late` requests whose connection dropped before. Returns how many were done."""
    with portal.lock:
        now = portal.now()
        ready = [late for late in portal.late if not due_only or (late[0] is not None and late[0] <= now)]
        portal.late = [late for late in portal.late if late not in ready]
        for _due, request, entry in ready:
            execute(portal, request, entry)
        return len(ready)


def execute(portal: Portal, request: Request, entry: Entry, *, drop: int = 0, skip: int = 0) -> Response:
    """Do the work and put its result into an envelope. `drop` and `skip`: see _run_batch."""
    with portal.lock:
        try:
            answer, seconds = _answer(portal, request, entry, drop, skip)
            response = http.success(answer, _time_block(portal, request.method, seconds))
            entry.outcome = entry.outcome or "ok"
        except RestError as error:
            entry.outcome = entry.outcome or error.code
            response = http.failure(error)
        return _add_noise(portal, response)


def _add_noise(portal: Portal, response: Response) -> Response:
    """Answer as a server that shows PHP's notices, or whose template leaves a comment behind."""
    return replace(response, body=portal.php_notice.encode() + response.body + portal.php_comment.encode())


def _answer(portal: Portal, request: Request, entry: Entry, drop: int, skip: int) -> tuple[Answer, float]:
    if request.method not in portal.methods and request.method != "batch":
        raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)  # even before the secret is looked at
    call = Call(portal, _authorize(portal, request), request.params, request.start, request.base_url)
    if "token" in request.params:  # reserved for signed links
        raise RestError("ACCESS_DENIED", "Access denied! Link check failed", 403)
    if request.method == "batch":
        return _run_batch(call, entry, drop, skip)
    return _run_method(call, request.method, entry)


def _authorize(portal: Portal, request: Request) -> User:
    if portal.believes_http or (portal.https_only and request.scheme != "https"):
        raise RestError("INVALID_REQUEST", "Https required.", 401)
    if not request.uid:
        raise RestError("NO_AUTH_FOUND", "Wrong authorization data", 401)
    owner = portal.owner
    is_owner = request.uid == str(portal.owner_id)
    if request.uid != str(php.to_int(request.uid)):  # no number: a login
        is_owner = owner.active and php.fold(request.uid) == php.fold(owner.login)
    if not is_owner or request.secret != portal.secret:
        raise RestError("INVALID_CREDENTIALS", "Invalid request credentials", 401)
    if not owner.active:
        raise RestError("authorization_error", "Unable to authorize user", 401)
    return owner


def _run_method(call: Call, name: str, entry: Entry) -> tuple[Answer, float]:
    """Run one method, alone or as a command of a batch. Returns its answer and the seconds it took."""
    portal, method = call.portal, call.portal.methods.get(name)
    if method is None:
        raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
    if method.scope and method.scope not in portal.scopes:
        text = "The request requires higher privileges than provided by the webhook token"
        raise RestError("insufficient_scope", "" if entry.key else text, 401)
    now = portal.now().timestamp()
    limit = portal.operating_limit_s
    if limit is not None and portal.operating.counters(name, now)["operating"] > limit:
        raise RestError(*BLOCKED_METHOD)  # the call that crossed the line was carried out
    entry.executed = True
    seconds = portal.seconds.get(name, DEFAULT_SECONDS)
    portal.operating.add(name, now, seconds)
    result = method.run(call)
    return (result if isinstance(result, Answer) else Answer(result)), seconds


def _time_block(portal: Portal, name: str, seconds: float) -> dict[str, Any]:
    """Write `time`: whole seconds at the start, the server's clock, operating counters where the brake is on."""
    start = portal.now()
    finish = start + timedelta(seconds=seconds)
    block: dict[str, Any] = {"start": int(start.timestamp()), "finish": finish.timestamp()}
    block |= {"duration": seconds, "processing": 0}
    for key, moment in (("date_start", start), ("date_finish", finish)):
        block[key] = moment.astimezone(portal.server_zone).isoformat(timespec="seconds")
    if portal.operating_limit_s is not None:
        block |= portal.operating.counters(name, start.timestamp())
    return block


def _run_batch(call: Call, entry: Entry, drop: int, skip: int) -> tuple[Answer, float]:
    """Run the commands, each with its own fate; the outer answer is a success even if all of them fail.

    `drop` of the last commands vanish from the answer, `skip` of them are not run.
    """
    entry.executed = True
    halt = php.is_true(php.upper_keys(call.params).get("HALT"))
    maps: dict[str, dict[str, Any]] = {name: {} for name in ("result", "error", "total", "next", "time")}
    spent = 0.0
    for number, command in enumerate(entry.commands[: len(entry.commands) - skip]):
        try:
            if number >= MAX_COMMANDS:
                raise RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
            if command.method in NOT_IN_BATCH:
                raise RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
            command.params = _resolve(command.params, maps)
            fault = call.portal.faults.take_for_command(entry.ordinal, command.method)
            if fault is not None and not fault.executed:
                raise fault.refusal()
            params = dict(command.params)
            start = params.pop("start", None)
            answer, seconds = _run_method(replace(call, params=params, start=start), command.method, command)
            if fault is not None:
                raise fault.refusal()
        except RestError as error:
            command.outcome = error.code
            maps["error"][command.key] = error.body
            if halt:
                break
            continue
        spent, command.outcome = spent + seconds, "ok"
        maps["result"][command.key] = answer.result
        maps["time"][command.key] = _time_block(call.portal, command.method, seconds)
        for name, count in (("total", answer.total), ("next", answer.next)):
            if count is not None:
                maps[name][command.key] = count
    for command in entry.commands[len(entry.commands) - drop :]:
        for by_key in maps.values():
            by_key.pop(command.key, None)
    result = maps.pop("result")
    return Answer({"result": result, **{f"result_{name}": values for name, values in maps.items()}}), spent


def _resolve(value: Any, maps: Mapping[str, Any]) -> Any:
    """Replace references in values and names, at any depth."""
    if isinstance(value, dict):
        return {php.to_text(_resolve(key, maps)): _resolve(inner, maps) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolve(inner, maps) for inner in value]
    for match in REFERENCE.finditer(value) if "$" in value else ():
        target = maps[match[1].lower()]
        for step in STEP.findall(match[2]):  # as deep as the path exists: the whole map when nothing of it does
            if isinstance(target, list) and step.isdecimal() and int(step) < len(target):
                target = target[int(step)]
            elif isinstance(target, dict) and step in target:
                target = target[step]
            else:
                break
        if match[0] == value:
            return target
        if target is not None and not php.is_array(target):  # an array inside a longer text leaves it as it is
            value = value.replace(match[0], php.to_text(target))
    return value
