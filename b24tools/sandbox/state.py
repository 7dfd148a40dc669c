"""An emulated Bitrix24 portal: state, rules and the whole REST transport, but no HTTP library.

It must be able to disagree with the client under test, so it shares nothing with it but the bracket notation.
Where the real portal is unkind, so is this one. Where something is not emulated, the method does not exist or
the field is unknown; nothing pretends to have worked. Statuses are those of the server's own code, which differ
from the documentation's for four codes.

Kinder than the cloud in one thing: plain http is answered unless `https_only` is set. With `believes_http` an https
call is refused as well: the box behind a TLS proxy that does not say so.
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from b24tools.sandbox import http, php
from b24tools.sandbox.batch import Batch, read_commands
from b24tools.sandbox.company import Company
from b24tools.sandbox.faults import Command, ConnectionCut, Entry, Fault, Faults
from b24tools.sandbox.limits import OperatingTime, RequestRate
from b24tools.sandbox.methods import (
    accessibility,
    departments,
    disk,
    events,
    groups,
    messages,
    people,
    system,
    taskhistory,
    tasklinks,
    tasklist,
    tasks,
    taskstatus,
    tasktime,
    userfields,
    worktime,
)
from b24tools.sandbox.records import Handler, Message, Outgoing, Task, User
from b24tools.sandbox.rest import Answer, Call, Method, Response, RestError

ALL_SCOPES: Final = ("task", "user", "department", "timeman", "calendar", "disk", "sonet_group", "im")
TASKS: Final = (tasks, tasklist, taskstatus, taskhistory, tasktime, tasklinks, userfields)
MODULES: Final = (*TASKS, people, departments, worktime, accessibility, disk, groups, messages, system)
METHODS: Final = {method.name.lower(): method for module in MODULES for method in module.METHODS}
WRITING: Final = frozenset(name for name, method in METHODS.items() if method.writes)
DEFAULT_SECONDS: Final = 0.05
SYSTEM_USER: Final = 900_001


class Portal(Company):
    """One portal with one incoming webhook. Every attribute may be changed while it runs."""

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        server_zone: str = "Europe/Moscow",
        use_time_zones: bool = True,
        default_time_zone: str = "",
        date_format: str = "DD.MM.YYYY",
        secret: str | None = None,
        owner_id: int = 1,
        scopes: Iterable[str] = ALL_SCOPES,
        rate_limit: bool = False,
        operating_limit_s: float | None = None,
        keep_xml_id: bool = True,
        xml_id_width: int = 50,
        xml_id_overflow: Literal["cut", "refuse"] = "cut",
        forum_comments: bool = False,
        small_tariff: bool = False,
        https_only: bool = False,
        moved_to: str | None = None,
        domain: str = "portal.example",
        folder: str = "",
        believes_http: bool = False,
        php_notice: str = "",
        php_comment: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(now, server_zone)
        self.use_time_zones = use_time_zones
        self.default_time_zone = default_time_zone
        self.date_format = date_format
        self.secret = secret or "".join(random.SystemRandom().choices(string.ascii_lowercase + string.digits, k=16))
        self.owner_id = owner_id
        self.scopes = set(scopes)
        self.rate_limit = rate_limit
        self.operating_limit_s = operating_limit_s
        self.keep_xml_id = keep_xml_id
        self.xml_id_width = xml_id_width
        self.xml_id_overflow = xml_id_overflow  # MySQL cuts, PostgreSQL refuses
        self.forum_comments = forum_comments  # the old task card: comments are posts of a forum
        self.small_tariff = small_tariff  # no projects in add, no auditors and accomplices, no time tracking, no links
        self.reason_for_deadline = False  # whoever is no administrator needs a DEADLINE_CHANGE_REASON
        self.system_user: User | None = None  # whom the webhook speaks for once its owner is dismissed
        self.https_only = https_only
        self.moved_to = moved_to
        self.domain = domain
        self.folder = folder
        self.believes_http = believes_http
        self.php_notice = php_notice
        self.php_comment = php_comment
        self.sleep = sleep
        self.may_create_groups = True
        self.member_id = "0123456789abcdef0123456789abcdef"
        self.methods: dict[str, Method] = METHODS
        self.seconds: dict[str, float] = {}  # how long a method pretends to take, by its name in lower case
        self.faults = Faults()
        self.log: list[Entry] = []
        self.handlers: list[Handler] = []
        self.outbox: list[Outgoing] = []
        self._late: list[tuple[datetime | None, http.Request, Entry]] = []
        self._rate = RequestRate()
        self._operating = OperatingTime()
        self.add_department("Компания", id=1)
        self.add_user("Алексей", "Админов", id=owner_id, admin=True, departments=[1], login="admin")

    def __repr__(self) -> str:
        return f"<Portal {self.domain}: {len(self.users)} users, {len(self.tasks)} tasks>"

    @property
    def owner(self) -> User:
        """The person whose rights the webhook has."""
        return self.system_user or self.users[self.owner_id]

    def dismiss_owner(self, *, admin: bool = True) -> User:
        """The owner leaves, the webhook lives on under its address: for a user whom no list shows."""
        self.users[self.owner_id].active = False
        self.system_user = User(SYSTEM_USER, "", "", admin=admin, user_type="system")
        return self.system_user

    @property
    def webhook_path(self) -> str:
        """The path of the incoming webhook: it holds the secret."""
        return f"{self.folder}/rest/{self.owner_id}/{self.secret}/"

    def webhook_url(self, base_url: str | None = None) -> str:
        """The address of the incoming webhook; `base_url` is that of the host."""
        return (base_url or f"https://{self.domain}").rstrip("/") + self.webhook_path

    def writes(self) -> list[tuple[str, dict[str, Any]]]:
        """Methods and parameters of the writes that were carried out, or refused by their own method."""
        done: list[Entry | Command] = []
        for entry in self.log:
            done += entry.commands if entry.method == "batch" else [entry]
        return [(one.method, one.params) for one in done if one.is_write and one.executed]

    def add_handler(self, url: str, token: str, on: Iterable[str] = events.EVENTS) -> Handler:
        """An outgoing webhook: from now on its bodies gather in `outbox`."""
        self.handlers.append(Handler(404 + len(self.handlers), url, token, frozenset(on)))
        return self.handlers[-1]

    def event_body(self, event: str, task_id: int, handler: Handler) -> bytes:
        """The form body of an event, whether or not it happened."""
        return events.body(event, task_id, handler, self.now(), self.domain, self.member_id)

    def tell(self, event: str, task_id: int) -> None:
        """Queue an event for every outgoing webhook that wants it."""
        for handler in self.handlers:
            if event in handler.events:
                self.outbox.append(Outgoing(handler.url, event, task_id, self.event_body(event, task_id, handler)))

    def act(self, method: str, params: dict[str, Any] | None = None, *, user_id: int | None = None) -> Any:
        """What a person does through the portal's pages: a method with its rules, rights and events, but no HTTP."""
        with self.lock:
            user = self.users[self.owner_id if user_id is None else user_id]
            call = Call(self, user, dict(params or {}), base_url=f"https://{self.domain}{self.folder}")
            result = self.methods[method.lower()].run(call)
        return result.result if isinstance(result, Answer) else result

    def has_chat(self, task: Task) -> bool:
        """Whether a task has a chat, or gets one when it is asked for."""
        group = self.groups.get(task.group)
        return not self.forum_comments and (group is None or not group.chat_is_broken)

    def chat_in_task(self, task_id: int, user_id: int, text: str = "Когда будет готово?") -> Message:
        """A person writes under a task.

        In the new task card that is a message in the task's chat, and only ACTIVITY_DATE moves. Where
        `forum_comments` is set it is a post of the task's forum: counted, in the history, and a change of the task.
        """
        with self.lock:
            task, now = self.tasks[task_id], int(self.now().timestamp())
            if not self.forum_comments:
                return self.say(self.chat_of(task), user_id, text)
            message = self.post(f"forum{task_id}", user_id, text)
            moved = {"changed_at": now, "changed_by": user_id, "activity_at": now}
            self.tasks.change(task, comments=task.comments + 1, **moved)
            self.log_change(task, user_id, now, "COMMENT", None, str(message.id))
            return message

    def handle(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        scheme: str = "https",
        patience_s: float | None = None,
    ) -> Response:
        """One HTTP request. Raises ConnectionCut where the client is to see no answer.

        GET and POST are alike, so `method` decides nothing. `patience_s` is the client's read timeout, for a door
        that cannot measure it.
        """
        request = http.read(path, query, headers, body, scheme, self.folder)
        with self.lock:
            self.run_late(due_only=True)
            if not request.method:
                return Response(404, http.HTML_HEADERS, b"<html><body><h1>404 Not Found</h1></body></html>")
            entry = self._note(request)
            refusal = self._gate(request, entry)
            if refusal is not None:
                return refusal
            fault = self.faults.take(entry.ordinal, request.method, [one.method for one in entry.commands])
            if fault is None:
                return self._execute(request, entry)
            entry.outcome = fault.kind
        return self._befall(fault, request, entry, patience_s)

    def _note(self, request: http.Request) -> Entry:
        commands = read_commands(request.params, WRITING) if request.method == "batch" else []
        is_write = request.method in WRITING or request.method == "upload" or any(one.is_write for one in commands)
        params = {} if request.method == "batch" else request.params
        entry = Entry(len(self.log) + 1, self.now(), request.method, params, is_write, commands)
        self.log.append(entry)
        return entry

    def _gate(self, request: http.Request, entry: Entry) -> Response | None:
        """What stands before the portal: the redirect of a renamed one to its new name, and the request rate.

        Names are compared as text: a Cyrillic one in the server's settings is never what a client sends.
        """
        if self.moved_to is not None and self.moved_to.rstrip("/") != f"{request.scheme}://{request.host}":
            entry.outcome = "moved"
            return Response(302, http.HTML_HEADERS | {"Location": self.moved_to.rstrip("/") + request.target})
        if self.rate_limit:
            try:
                self._rate.check(self.now().timestamp())
            except RestError as error:
                entry.outcome = error.code
                return http.failure(error)
        return None

    def _befall(self, fault: Fault, request: http.Request, entry: Entry, patience_s: float | None) -> Response:
        delay = fault.delay_s or 0.0
        match fault.kind:
            case "unreachable":
                raise ConnectionCut("unreachable")
            case "cut_before":
                raise ConnectionCut("cut")
            case "cut_after":
                self._execute(request, entry)
                raise ConnectionCut("cut")
            case "late":
                due = None if fault.delay_s is None else self.now() + timedelta(seconds=delay)
                self._late.append((due, request, entry))
                raise ConnectionCut("cut", later_s=fault.delay_s)
            case "slow":
                self.sleep(delay if patience_s is None else min(delay, patience_s))
                response = self._execute(request, entry)
                if patience_s is not None and delay > patience_s:
                    raise ConnectionCut("timeout")
                return response
            case "half":
                response = self._execute(request, entry)
                return Response(response.status, response.headers, response.body, truncated=True)
            case "half_batch":
                return self._execute(request, entry, drop=fault.drop, skip=0 if fault.executed else fault.drop)
        if fault.executed:
            self._execute(request, entry)
        if fault.kind == "html":
            status, page = fault.page()
            return Response(status, http.HTML_HEADERS, page)
        refusal = http.failure(fault.refusal())
        return (
            refusal if fault.kind == "limit" else self._with_noise(refusal)
        )  # the limit is the front end's, not PHP's

    def run_late(self, *, due_only: bool = False) -> int:
        """Do the work of `late` requests whose connection dropped before. Returns how many were done."""
        with self.lock:
            now = self.now()
            ready = [one for one in self._late if not due_only or (one[0] is not None and one[0] <= now)]
            self._late = [one for one in self._late if one not in ready]
            for _, request, entry in ready:
                self._execute(request, entry)
            return len(ready)

    def _execute(self, request: http.Request, entry: Entry, *, drop: int = 0, skip: int = 0) -> Response:
        with self.lock:
            try:
                answer, seconds = self._answer(request, entry, drop, skip)
                entry.outcome = entry.outcome or "ok"
                response = http.success(answer, self.time_block(request.method, seconds))
            except RestError as error:
                entry.outcome = entry.outcome or error.code
                response = http.failure(error)
            return self._with_noise(response)

    def _with_noise(self, response: Response) -> Response:
        """The answer of a server that shows PHP's notices, or whose template leaves a comment behind."""
        return replace(response, body=self.php_notice.encode() + response.body + self.php_comment.encode())

    def _answer(self, request: http.Request, entry: Entry, drop: int, skip: int) -> tuple[Answer, float]:
        if request.method not in self.methods and request.method not in ("batch", "upload"):
            raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)  # even before the secret is looked at
        if request.suffix == "xml":  # the real portal would answer in XML; nobody here reads it
            raise RestError("INTERNAL_WRONG_TRANSPORT", "Wrong transport!", 500)
        user = self._authorize(request)
        if request.method == "upload":
            entry.executed = True
            return self._upload(request, user)
        if "token" in request.params:  # reserved for signed links
            raise RestError("ACCESS_DENIED", "Access denied! Link check failed", 403)
        if request.method == "batch":
            batch = Batch(self, user, request, entry)
            entry.executed = True
            answer = batch.run(drop=drop, skip=skip)
            return answer, batch.seconds
        return self.invoke(request.method, request.params, request.start, user, request, entry)

    def _authorize(self, request: http.Request) -> User:
        if self.believes_http or (self.https_only and request.scheme != "https"):
            raise RestError("INVALID_REQUEST", "Https required.", 401)
        if not request.uid:
            raise RestError("NO_AUTH_FOUND", "Wrong authorization data", 401)
        if request.uid == str(php.to_int(request.uid)):
            is_owner = request.uid == str(self.owner_id)
        else:
            is_owner = self.owner.active and php.fold(request.uid) == php.fold(self.owner.login)
        if not is_owner or request.secret != self.secret:
            raise RestError("INVALID_CREDENTIALS", "Invalid request credentials", 401)
        if not self.owner.active:
            raise RestError("authorization_error", "Unable to authorize user", 401)
        return self.owner

    def _upload(self, request: http.Request, user: User) -> tuple[Answer, float]:
        """The second step of an upload: the file takes the name of the multipart part."""
        target = self.disk.take_upload(str(request.params.get("token", "")))
        if target is None or request.file is None:
            raise RestError("ACCESS_DENIED", "Access denied! Link check failed", 403)
        name, content = request.file
        row = self.disk.put(target[0], name, user.id, content, unique=target[1])
        return Answer(disk.object_row(Call(self, user, {}, base_url=request.base_url), row)), DEFAULT_SECONDS

    def invoke(
        self,
        name: str,
        params: dict[str, Any],
        start: Any,
        user: User,
        request: http.Request,
        entry: Entry | Command,
    ) -> tuple[Answer, float]:
        """One method, alone or as a command of a batch. Returns its answer and the seconds it took."""
        method = self.methods.get(name)
        if method is None:
            raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
        if method.scope and method.scope not in self.scopes:
            text = "The request requires higher privileges than provided by the webhook token"
            raise RestError("insufficient_scope", "" if isinstance(entry, Command) else text, 401)
        now = self.now().timestamp()
        if self.operating_limit_s is not None:
            self._operating.check(name, now, self.operating_limit_s)
        entry.executed = True
        seconds = self.seconds.get(name, DEFAULT_SECONDS)
        self._operating.add(name, now, seconds)
        result = method.run(Call(self, user, params, start, request.base_url, request.path))
        return (result if isinstance(result, Answer) else Answer(result)), seconds

    def time_block(self, name: str, seconds: float) -> dict[str, Any]:
        """`time`: whole seconds at the start, the server's clock, operating counters where the brake is on."""
        start = self.now()
        finish = start + timedelta(seconds=seconds)
        block: dict[str, Any] = {
            "start": int(start.timestamp()),
            "finish": finish.timestamp(),
            "duration": seconds,
            "processing": 0,
            "date_start": start.astimezone(self.server_zone).isoformat(timespec="seconds"),
            "date_finish": finish.astimezone(self.server_zone).isoformat(timespec="seconds"),
        }
        if self.operating_limit_s is not None:
            block |= self._operating.counters(name, start.timestamp())
        return block
