"""`b24tools replay`: events from wherever they are, once more."""

from __future__ import annotations

import base64
import gzip
import io
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.jobs.events import payload, process, replay_files
from b24tools.sandbox import server
from b24tools.sandbox.faults import Fault
from tests.support import events as listening
from tests.support.events import TOKEN, Listener

FORM = (Path(__file__).parent.parent / "data" / "events" / "ontaskupdate.txt").read_text(encoding="utf-8")
JSON = json.dumps({"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": {"ID": "2536"}}})
Run = Callable[..., "Told"]


class Told:
    """What a command said."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def data(self) -> Any:
        """What --json printed."""
        envelope = json.loads(self.out)
        assert ["version", "command", "ok", "data", "warnings", "error"] == list(envelope)
        assert "replay" == envelope["command"]
        assert envelope["ok"] is (self.status == 0)
        return envelope["data"]


@pytest.fixture
def here(tmp_path: Path) -> Listener:
    return listening.listener(tmp_path / "data")


@pytest.fixture
def run(here: Listener, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One run of the command, on the listener's clock and data folder."""
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", here.portal.webhook_url("https://portal.example"))
    monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    monkeypatch.setenv("B24_DATA_DIR", str(here.folder))
    monkeypatch.setattr(context, "now", here.clock)
    original = context.Session.__init__

    def opened(self: context.Session, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        self.transport = server.transport(here.portal)

    monkeypatch.setattr(context.Session, "__init__", opened)

    def replay(*words: object, stdin: bytes = b"") -> Told:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        options = [str(word) for word in words]
        flags = ["-q"] if "-q" in options else []
        status = app.main([*flags, "replay", *(word for word in options if word != "-q")])
        out, err = capsys.readouterr()
        return Told(status, out, err)

    return replay


def counts(processed: int, applied: int, ignored: int = 0, failed: int = 0) -> dict[str, int]:
    return {"processed": processed, "applied": applied, "ignored": ignored, "failed": failed}


# shapes


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (FORM, 1),
        (FORM + "\r\n", 1),
        (f"{FORM}\n\n# the second\n{FORM}\n", 2),
        (FORM.replace("%5B", "[").replace("%5D", "]"), 1),
        (f'2026-11-23T10:00:01+03:00 POST /webhook 202 "{FORM}"\n', 1),
        (f"curl -d '{FORM}' http://127.0.0.1:8000/webhook\n", 1),
        (JSON, 1),
        (json.dumps(json.loads(JSON), indent=2), 1),
        (f"[{JSON}, {JSON}]", 2),
        (f"{JSON}\n{JSON}\n\n{JSON}", 3),
        (f"{JSON}\n{FORM}\n", 2),
        (f"{json.dumps(json.loads(JSON), indent=2)}\n\n" * 3, 3),
        (json.dumps([FORM, FORM]), 2),
        (json.dumps({"headers": {"host": "x"}, "body": FORM}), 1),
        (json.dumps({"version": 1, "command": "replay", "data": [{"id": 1, "event": "", "body": FORM}]}), 1),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_events_are_found_in_every_shape_people_have(content: str, count: int, encoding: str) -> None:
    """A raw body, several of them, JSON in all its forms, lines of a log."""
    hits = replay_files.read("file", content.encode(encoding))

    assert [("ONTASKUPDATE", {"ID": "2536"})] * count == [
        (hit.event.name, hit.event.data["FIELDS_AFTER"]) for hit in hits if hit.event
    ]
    assert len(hits) == count


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ("", ["file"]),
        ("hello\n\nworld", ["file:1"]),
        (f"{FORM}\nhello", ["file:2"]),
        ('{"event": ', ["file:1"]),
        ("[1, [2], {}]", ["file:1"]),
        (f"\n{json.dumps(json.loads(JSON), indent=2)}\n{{\n}}\n[\n0]", ["file:13"]),
        ("event=ONTASKADD&data[FIELDS_AFTER][ID]=0", ["file:1"]),
        ("[" * 100_000, ["file:1"]),
    ],
)
def test_what_looks_like_an_event_but_is_none_is_named(content: str, places: list[str]) -> None:
    """With its place in the file."""
    hits = replay_files.read("file", content.encode())

    assert places == [hit.place for hit in hits if hit.refusal]


# what others write

NGINX_FORM = (
    '10.0.0.7 - - [28/Nov/2026:10:00:01 +0300] "POST /webhook HTTP/1.1" 502 150 "-" "Bitrix24 Webhook Engine" "BODY"'
)
DUMP = """\
[event] => ONTASKUPDATE
    [event_handler_id] => 77
    [data] => Array
        (
            [FIELDS_BEFORE] => Array
                (
                    [ID] => 2536
                )

            [FIELDS_AFTER] => Array
                (
                    [ID] => 2536
                )

            [IS_ACCESSIBLE_BEFORE] => undefined
            [IS_ACCESSIBLE_AFTER] =>\x20
        )

    [ts] => 1769071218
    [auth] => Array
        (
            [domain] => example.bitrix24.ru
            [application_token] => REDACTED
        )

"""
EXPORT = """\
array (
  'event' => 'ONTASKUPDATE',
  'data' =>\x20
  array (
    'FIELDS_BEFORE' => 'it\\'s (undefined)',
    'FIELDS_AFTER' =>\x20
    array (
      'ID' => '2536',
    ),
    'list' =>\x20
    array (
      0 => NULL,
      1 => true,
    ),
  ),
  'ts' => 1769071218,
)"""
HAR_ENTRY: dict[str, Any] = {
    "request": {
        "method": "POST",
        "url": "https://b24tools.example.ru/webhook",
        "headers": [{"name": "Content-Type", "value": "application/x-www-form-urlencoded"}],
        "postData": {"mimeType": "application/x-www-form-urlencoded", "text": FORM},
    },
    "response": {"status": 200, "content": {"text": FORM.replace("2536", "123")}},
}
HAR_PARAMS = [{"name": "event", "value": "ONTASKUPDATE"}, {"name": "data[FIELDS_AFTER][ID]", "value": "2536"}]
WEBHOOK_SITE = {
    "uuid": "70174177-a447-4dd5-a569-ddd26b7e90ec",
    "type": "web",
    "method": "POST",
    "content": FORM,
    "query": None,
    "request": {"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": {"ID": "2536"}}, "ts": "1769071218"},
    "headers": {"user-agent": ["Bitrix24 Webhook Engine"]},
    "created_at": "2026-11-28 10:00:01",
}
N8N = {
    "headers": {"host": "n8n.example.ru"},
    "params": {},
    "query": {},
    "body": {"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": {"ID": "2536"}}, "ts": "1769071218"},
    "webhookUrl": "https://n8n.example.ru/webhook/b24",
    "executionMode": "production",
}


def by_nginx(body: str) -> str:
    """Escape as `escape=default` does: quotation marks, backslashes and what is not ASCII."""
    raw = body.encode()
    return "".join(chr(c) if 31 < c < 127 and c not in b'"\\' else f"\\x{c:02X}" for c in raw)


def in_docker(text: str) -> str:
    """Write each line as Docker's json-file does."""
    records = [{"log": f"{line}\n", "stream": "stdout", "time": "2026-11-28T07:00:01Z"} for line in text.split("\n")]
    return "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)


PRINTED = f"2026-11-28 10:00:01\nincoming\nArray\n(\n    {DUMP})\n"
LOGS = {
    "nginx, escape=json": json.dumps({"time": "2026-11-28T10:00:01+03:00", "status": "502", "request_body": FORM}),
    "nginx, escape=json, JSON": json.dumps({"status": "502", "request_body": JSON}),
    "nginx, escape=default": NGINX_FORM.replace("BODY", by_nginx(FORM)),
    "nginx, escape=default, JSON": NGINX_FORM.replace("BODY", by_nginx(JSON)),
    "nginx, JSON by hand": '{"ts": "2026-11-28", "status": 502, "body": "' + by_nginx(JSON) + '"}',
    "nginx, JSON by hand, no quotes": '{"ts": "2026-11-28", "body": ' + by_nginx(JSON) + "}",
    "nginx, Russian": NGINX_FORM.replace("BODY", by_nginx(JSON.replace("{", '{"note": "Привет \\"мир\\"", ', 1))),
    "apache": NGINX_FORM.replace("BODY", JSON.replace('"', '\\"')),
    "access log": f'10.0.0.7 - - [28/Nov/2026:10:00:01 +0300] "POST /webhook?{FORM} HTTP/1.1" 502 0',
    "logfmt": f"ts=2026-11-28T10:00:01Z level=info event=request body={FORM} status=502",
    "logfmt, quoted": f'time="2026-11-28" level=info msg=webhook body="{FORM}"',
    "logfmt, JSON": "level=info body=" + json.dumps(JSON) + " status=502",
    "logfmt, JSON of Go": "level=info body=" + json.dumps(FORM).replace("&", "\\u0026"),
    "a time before JSON": f"2026-11-28 10:00:01 | {JSON}",
    "a time before lines of JSON": f"2026-11-28 10:00:01\n{json.dumps(json.loads(JSON), indent=4)}",
    "monolog": f"[2026-11-28T10:00:01+03:00] b24.INFO: event {JSON} []",
    "a record with a line": json.dumps({"level": "info", "message": f"POST /webhook {FORM}"}),
    "docker": in_docker(NGINX_FORM.replace("BODY", FORM)),
    "docker, print_r": in_docker(PRINTED),
    "docker, a long line": '{"log":"body=' + FORM[:99] + '","stream":"stdout"}\n{"log":"' + FORM[99:] + '\\n"}\n',
    "print_r": PRINTED,
    "print_r in a line": "2026-11-28 incoming Array ( " + " ".join(DUMP.split()) + " )",
    "print_r of a record": f"Array\n(\n    [POST] => Array\n        (\n {DUMP})\n\n    [GET] => Array\n(\n)\n)",
    "var_export": f"<?php\nreturn {EXPORT};\n",
    "Python": f"2026-11-28 INFO got {json.loads(JSON)}",
    "Python, a form": "got {'event': 'ONTASKUPDATE', 'data[FIELDS_AFTER][ID]': '2536', 'ts': None}",
    "Node": "{\n  event: 'ONTASKUPDATE',\n  data: { FIELDS_AFTER: { ID: '2536' }, list: [Array] },\n  ts: undefined\n}",
    "Node, a form": "[Object: null prototype] {\n  event: 'ONTASKUPDATE',\n  'data[FIELDS_AFTER][ID]': '2536'\n}",
    "Ruby": 'Parameters: {"event"=>"ONTASKUPDATE", "data"=>{"FIELDS_AFTER"=>{"ID"=>"2536"}}, "tags"=>["a", "b"]}',
    "PHP, short": "[\n  'event' => 'ONTASKUPDATE',\n  'data' => ['FIELDS_AFTER' => ['ID' => 2536]],\n]",
    "webhook.site": json.dumps({"data": [WEBHOOK_SITE], "total": 1, "is_last_page": True}, indent=2),
    "n8n": json.dumps([N8N]),
    "n8n, pinned": json.dumps({"nodes": [], "pinData": {"Webhook": [{"json": N8N}]}}),
    "HAR": json.dumps({"log": {"version": "1.2", "entries": [HAR_ENTRY]}}),
    "HAR, params": json.dumps({"log": {"entries": [{"request": {"postData": {"params": HAR_PARAMS}}}]}}),
    "a function in a cloud": json.dumps({"body": base64.b64encode(FORM.encode()).decode(), "isBase64Encoded": True}),
    "HAR, base64": json.dumps({"text": base64.b64encode(FORM.encode()).decode(), "encoding": "base64"}),
    "HAR, params of Chrome": json.dumps({"params": [param | {"name": quote(param["name"])} for param in HAR_PARAMS]}),
    "CSV": '10:00:01,"' + JSON.replace('"', '""') + '",502',
    "encoded as a whole": f"10:00:01 body={quote_plus(FORM)}&status=502",
    "encoded as a whole, JSON": f"10:00:01 body={quote_plus(JSON)}&status=502",
    "a page": "<code>" + FORM.replace("&", "&amp;") + "</code>",
    "a page, JSON": "<code>" + JSON.replace('"', "&quot;") + "</code>",
    "a request": f"POST /webhook HTTP/1.1\r\nHost: example.ru\r\nContent-Length: 500\r\n\r\n{FORM}",
    "the headers": f"Host: example.ru\nContent-Type: application/x-www-form-urlencoded\n\n{FORM}",
    "structlog": json.dumps({"event": "webhook received", "level": "info", "body": json.loads(JSON)}),
    "the service before": json.dumps({"event": "ONTASKUPDATE", "data": {"FIELDS": {"ID": 2536}}}),
    "compressed": NGINX_FORM.replace("BODY", FORM),
}


@pytest.mark.parametrize("kind", LOGS)
def test_events_are_found_in_what_others_write(kind: str) -> None:
    """Once each, with the id of its task; the rest is worth a word, not an error."""
    data = LOGS[kind].encode()
    hits = replay_files.read("file", gzip.compress(data) if kind == "compressed" else data)

    assert [("ONTASKUPDATE", 2536)] == [(hit.event.name, payload.task_of(hit.event)) for hit in hits if hit.event]
    assert all(hit.is_note for hit in hits if hit.refusal)


def test_a_record_with_bytes_that_are_no_text_is_searched() -> None:
    """Beside the event in it."""
    data = json.dumps({"params": [*HAR_PARAMS, {"name": "note", "value": "?"}]}).encode().replace(b"?", b"\xcf")
    (hit,) = replay_files.read("file", data)
    assert hit.event is not None
    assert 2536 == payload.task_of(hit.event)


@pytest.mark.long
@pytest.mark.parametrize("kind", [kind for kind in LOGS if "ONTASKUPDATE" in LOGS[kind]])
@pytest.mark.parametrize("ending", ["", "…(truncated)", '" 502'])
def test_an_event_that_is_cut_off_is_an_error_wherever_the_cut_falls(kind: str, ending: str) -> None:
    """In a log with other lines, it is read wholly or named with its place, never a remark, never another task."""
    text = LOGS[kind].partition('"response"')[0]  # of HAR: the answer may have an example
    start = text.index("ONTASKUPDATE") + len("ONTASK")
    for end in range(start, len(text), 1 + len(text) // 60):
        log = f"GET / 200 10:00:00\n{FORM.replace('2536', '7').strip()}\n10:00:01 {text[:end]}{ending}\nGET / 200\n"
        hits = replay_files.read("file", log.encode())

        tasks = {payload.task_of(hit.event) for hit in hits if hit.event}
        wrong = [hit.place for hit in hits if hit.refusal and not hit.is_note]
        assert tasks == {7, 2536} or (tasks == {7} and wrong and not wrong[0].startswith("file:1")), text[:end]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("what is no event of a task", json.dumps({"event": "ONCRMDEALADD", "level": "info"})),
        ("event.bind", json.dumps({"params": {"event": "ONTASKUPDATE", "handler": "https://x"}})),
        ("event.get", json.dumps({"result": [{"event": "ONTASKADD", "handler": "https://x"}]}, indent=1)),
        ("words", "processing ONTASKUPDATE of task 7"),
    ],
)
def test_what_was_no_event_is_no_error(name: str, text: str) -> None:
    """Though it has the name of one."""
    hits = replay_files.read(name, f"10:00:00 {FORM}\n10:00:01\n{text}\n".encode())

    assert [False, True] == [hit.is_note for hit in hits]


def test_a_broken_event_in_an_export_is_named() -> None:
    """Among others that are whole."""
    export = [N8N, N8N | {"body": JSON[:-9]}, N8N | {"body": FORM[:30]}, N8N | {"body": {"event": "ONTASKADD"}}]
    hits = replay_files.read("file", json.dumps({"items": export}).encode())

    assert [("file:1.1", False), ("file:1.2", True), ("file:1.3", True), ("file:1.4", True)] == [
        (hit.place, hit.refusal is not None and not hit.is_note) for hit in hits
    ]


@pytest.mark.parametrize("kind", [kind for kind in LOGS if "2536" in LOGS[kind] and kind != "compressed"])
def test_a_log_has_many_events(kind: str) -> None:
    """Each in its place, with other lines between them, which are named once."""
    other = "" if kind.startswith("docker") else "10.0.0.7 GET / 200\n"
    text = "\n".join(LOGS[kind].replace("2536", str(number)) + "\n" + other for number in (11, 12, 13))
    hits = replay_files.read("file", text.encode())

    assert [11, 12, 13] == [payload.task_of(hit.event) for hit in hits if hit.event]
    assert 1 >= len([hit for hit in hits if hit.refusal])


@pytest.mark.parametrize(
    "text",
    [
        "A task event of Bitrix24 looks like event=ONTASKUPDATE&data[FIELDS_AFTER][ID]=123&…",
        "event=ONTASKUPDATE&handler=https%3A%2F%2Fexample.ru%2Fhook&data[ID]=7",
        json.dumps({"method": "event.bind", "params": {"event": "ONTASKUPDATE", "handler": "https://example.ru"}}),
        json.dumps({"result": {"task": {"id": "7", "title": "event=ONTASKUPDATE&data[FIELDS_AFTER][ID]=7 and more"}}}),
        json.dumps({"event": "created", "data": {"FIELDS_AFTER": {"ID": 7}}}),
        json.dumps({"log": {"entries": [HAR_ENTRY | {"request": {"url": "https://example.ru"}}]}}),
        'Task updated: {"FIELDS_BEFORE":{"ID":"7"},"FIELDS_AFTER":{"ID":"7"}}',
        "Array\n(\n    [result] => Array\n        (\n            [ID] => 7\n        )\n\n)\n",
        f"Array\n(\n    {DUMP}",
        EXPORT[:-2],
        "ts=1769071218 data=7 auth=none",
        JSON[:-2],
        FORM.partition("36&data")[0],
        FORM.partition("36&data%5BIS")[0],
        "POST /webhook " + FORM.partition("%5BID%5D=2536&data%5BIS")[0] + "%5BID%5D=25",
    ],
)
def test_what_is_no_event_gives_no_task(text: str) -> None:
    """Neither an example, nor an answer, nor what was cut off: a wrong task would be read."""
    hits = replay_files.read("file", text.encode())

    assert [] == [hit for hit in hits if hit.event]
    assert 1 == len(hits)


def test_what_is_no_event_in_a_log_is_a_remark(here: Listener, run: Run) -> None:
    """One for each file, and the status is 0: most of a log is something else."""
    task_id = here.closed_task()
    form = here.portal.outbox[-1].body.decode()
    log = here.folder / "access.log"
    log.write_text(f"GET / 200\n{NGINX_FORM.replace('BODY', form)}\nGET /board 200\n", encoding="utf-8")

    told = run(log, "--json")

    remark = "access.log:1: 2 lines are no events, this is the first"
    assert (0, counts(1, 1), [remark]) == (told.status, told.data, json.loads(told.out)["warnings"])
    assert [task_id] == list(here.counted())
    assert (0, f"{remark}\n") == (run(log).status, run(log).err)


def test_one_message_for_all_that_should_have_been_bodies(run: Run) -> None:
    """Not one for each line of a file that was named by mistake."""
    told = run("-", "--json", stdin=b"<html>\n<p>\n" * 500)

    assert (2, counts(1, 0, 0, 1)) == (told.status, told.data)
    assert (
        "1 event failed: stdin:1: the body cannot be read: it is neither a form nor JSON (and 999 more lines).\n"
        == told.err
    )


def test_a_compressed_log_that_is_cut_off_is_named() -> None:
    """It may have had events."""
    (hit,) = replay_files.read("access.log.1.gz", gzip.compress(FORM.encode())[:-9])

    assert hit.refusal and "access.log.1.gz" == hit.place
    assert "the body cannot be read: the compressed file is cut off or damaged" == hit.refusal.message


@pytest.mark.parametrize(
    "text", ['{"a":' * 50_000, '{"' * 50_000, "Array (" * 50_000, "event=" * 50_000, "\\x7b" * 50_000]
)
def test_no_text_takes_long_or_breaks_the_search(text: str) -> None:
    """Whatever it seems to begin."""
    assert 1 == len(replay_files.read("file", text.encode()))


# files


@pytest.mark.parametrize("mode", ["polling", "webhook"])
def test_events_of_a_file_are_followed_in_both_modes_without_a_token(here: Listener, run: Run, mode: str) -> None:
    """They are not kept: whoever has the file has them."""
    here.switch(mode)
    task_id = here.closed_task()
    file = here.folder / "bodies.txt"
    file.write_bytes(b"\n".join(outgoing.body.replace(TOKEN.encode(), b"other") for outgoing in here.portal.outbox))

    told = run(file, "--json")

    assert (0, counts(2, 2)) == (told.status, told.data)
    assert [task_id] == list(here.counted())
    assert [] == here.statuses()


def test_replaying_twice_changes_nothing(here: Listener, run: Run) -> None:
    """Not a column but the one that says when."""
    here.closed_task()
    body = here.portal.outbox[-1].body
    run("-", stdin=body)
    columns = "id, title, responsible_id, status, changed_at, closed_at, week, deadline, estimate_s, gone"
    before = here.query(f"SELECT {columns} FROM tasks"), here.query("SELECT * FROM people")

    assert counts(2, 2) == run("-", "--json", stdin=body + b"\n" + body).data
    assert before == (here.query(f"SELECT {columns} FROM tasks"), here.query("SELECT * FROM people"))


def test_many_tasks_of_a_file_are_read_by_fifty(here: Listener, run: Run) -> None:
    """Each once, however often it is named."""
    made = [here.closed_task() for _number in range(70)]
    lines = [outgoing.body for outgoing in here.portal.outbox] * 2

    told = run("-", "--json", stdin=b"\n".join(lines))

    assert counts(280, 280) == told.data
    assert made == list(here.counted())
    assert 3 == here.asked()  # two with tasks, one with a person


def test_one_bad_body_does_not_stop_the_others(here: Listener, run: Run) -> None:
    """Partly done is 3; the line names the place; other events are of no use."""
    task_id = here.closed_task()
    body = here.portal.outbox[-1].body

    told = run("-", "--json", stdin=b"event=ONTASKCOMMENTADD\nrubbish\n" + body)

    assert (3, counts(3, 1, 1, 1)) == (told.status, told.data)
    assert "1 event failed: stdin:2: the body cannot be read: it is neither a form nor JSON.\n" == told.err
    assert [task_id] == list(here.counted())


@pytest.mark.parametrize("stdin", [b"", b"rubbish"])
def test_nothing_but_bad_bodies_is_2(run: Run, stdin: bytes) -> None:
    """Sending them again does not help, and the portal is not asked."""
    told = run("-", "--json", stdin=stdin)

    assert (2, counts(1, 0, 0, 1)) == (told.status, told.data)


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bodies.txt", "--failed"],
        ["bodies.txt", "--list"],
        ["no such file"],
        ["--since", "soon"],
        ["--id", "0"],
        ["--id", "7"],
    ],
)
def test_what_cannot_be_meant_is_2(run: Run, words: list[str]) -> None:
    """Before anything is done."""
    told = run(*words)

    assert (2, "") == (told.status, told.out)
    assert 1 == told.err.count("\n")


def test_a_portal_that_is_away_is_75(here: Listener, run: Run) -> None:
    """Kept events stay as they are."""
    here.closed_task()
    here.arrive()
    here.portal.faults.add(Fault("unreachable", times=1000))

    assert 75 == run("--since", "1h").status
    assert 75 == run("-", stdin=FORM.encode()).status
    assert ["waiting", "waiting"] == here.statuses()


def test_a_portal_that_refuses_is_1(here: Listener, run: Run) -> None:
    """With the reason; what is kept is tried again by itself."""
    here.closed_task()
    here.arrive()
    here.portal.scopes.remove("task")

    told = run("--since", "1h", "--json")

    assert (1, counts(2, 0, 0, 2)) == (told.status, told.data)
    assert "insufficient_scope" in told.err
    assert [("failed", 1, 1)] * 2 == here.query("SELECT status, attempts, next_try_at IS NOT NULL FROM events")


def test_another_portals_database_is_left_alone(here: Listener, run: Run) -> None:
    """Ids would be mixed up."""
    with here.store() as opened:
        opened.settings.save("portal_host", "other.example")

    assert 2 == run("-", stdin=FORM.encode()).status
    assert 0 == here.asked()


# the inbox


def test_events_dated_in_the_future_are_not_the_latest(here: Listener, run: Run) -> None:
    """They came at an unknown time, long ago: --list shows them, and --id follows them."""
    here.clock.now += timedelta(days=400)
    here.closed_task()
    here.arrive()
    here.clock.now -= timedelta(days=400)

    assert counts(0, 0) == run("--since", "1h", "--json").data
    assert [1, 2] == [event["id"] for event in run("--list", "--json").data]
    assert counts(2, 2) == run("--id", "1", "--id", "2", "--json").data


def test_failed_events_are_followed_again(here: Listener, run: Run) -> None:
    """After the last try, and when what was wrong is mended."""
    task_id = here.closed_task()
    here.arrive()
    here.portal.scopes.remove("task")
    for _turn in range(len(process.RETRIES) + 1):
        here.process()
        here.clock.now += process.RETRIES[-1]
    here.portal.scopes.add("task")

    assert counts(2, 2) == run("--failed", "--json").data
    assert ["done", "done"] == here.statuses()
    assert [task_id] == list(here.counted())
    assert counts(0, 0) == run("--failed", "--json").data


def test_what_polling_left_aside_can_be_followed(here: Listener, run: Run) -> None:
    """By time, by number, or both; the mode stays."""
    here.switch("polling")
    first = here.closed_task()
    here.arrive()
    here.clock.now += process.RETRIES[3]  # an hour
    second = here.closed_task()
    here.arrive()

    assert counts(2, 2) == run("--since", "30m", "--json").data
    assert [second] == list(here.counted())
    assert ["ignored_by_mode"] * 2 + ["done"] * 2 == here.statuses()
    assert counts(1, 1) == run("--id", 2, "--json").data
    assert [first, second] == list(here.counted())
    assert counts(2, 2) == run("--id", 3, "--id", 4, "--json").data
    assert counts(4, 4) == run("--since", "999999d", "--json").data


def test_a_dry_run_says_what_would_happen_and_writes_nothing(here: Listener, run: Run) -> None:
    """It asks the portal, and works on a copy."""
    here.closed_task()
    here.arrive()

    told = run("--since", "1h", "--dry-run")

    assert 0 == told.status
    assert "2 events: 2 applied, 0 ignored, 0 failed (nothing was written)" == told.out.splitlines()[-1]
    assert "ONTASKADD" in told.out
    assert counts(2, 2) == run("--since", "1h", "--dry-run", "--json").data
    assert counts(1, 1) == run("-", "--dry-run", "--json", stdin=FORM.replace("2536", "2").encode()).data
    assert ["waiting", "waiting"] == here.statuses()
    assert {} == here.counted()


def test_quiet_says_nothing_but_errors(here: Listener, run: Run) -> None:
    """Cron has nothing to mail."""
    here.closed_task()
    here.arrive()

    told = run("-q", "--since", "1h")

    assert (0, "", "") == (told.status, told.out, told.err)


# the list


@pytest.fixture
def varied(here: Listener) -> Listener:
    """An event of every status."""
    here.closed_task()
    here.follow()
    here.receive(FORM.replace("ONTASKUPDATE", "ONTASKCOMMENTADD").replace("REDACTED" * 4, TOKEN).encode())
    here.portal.scopes.remove("task")
    here.new_task()
    here.follow()
    here.switch("polling")
    here.receive(FORM.replace("REDACTED" * 4, TOKEN).encode())
    return here


def test_the_list_is_readable_on_eighty_columns(varied: Listener, run: Run) -> None:
    """A line per event, below them why one failed."""
    told = run("--list")

    assert 0 == told.status
    assert (
        """\
No.  Event             Task  Received        Tries  Status
  1  ONTASKADD           69  23.11 07:01:00      0  done
  2  ONTASKUPDATE        69  23.11 07:01:00      0  done
  3  ONTASKCOMMENTADD     -  23.11 07:01:03      0  ignored
  4  ONTASKADD           70  23.11 07:01:03      1  failed
  5  ONTASKUPDATE      2536  23.11 07:01:06      0  polling mode
  ! 4: tasks.task.list: (insufficient_scope); next try 23.11 07:02:06
"""
        == told.out
    )
    assert all(len(line) <= 80 for line in told.out.splitlines())


def test_the_list_is_chosen_like_what_is_followed(varied: Listener, run: Run) -> None:
    """By what failed, by time, by number; an empty one says where it looked."""
    assert [4] == [event["id"] for event in run("--list", "--failed", "--json").data]
    assert [1, 5] == [event["id"] for event in run("--list", "--id", 5, "--id", 1, "--json").data]
    assert [3, 4, 5] == [event["id"] for event in run("--list", "--since", "0.08m", "--json").data]
    varied.clock.now += process.RETRIES[-1]
    told = run("--list", "--since", "1h")
    assert (0, "") == (told.status, told.out)
    assert str(varied.folder) in told.err


def test_the_list_as_json_can_be_replayed(varied: Listener, run: Run, tmp_path: Path) -> None:
    """It has the bodies, without the token."""
    told = run("--list", "--json")
    file = tmp_path / "events.json"
    file.write_text(told.out, encoding="utf-8")
    varied.portal.scopes.add("task")

    assert ["id", "received_at", "event", "task_id", "status", "attempts", "error", "next_try_at"] == list(
        told.data[0]
    )[:8]
    assert TOKEN not in told.out
    assert counts(5, 4, 1) == run(file, "--json").data


def test_a_list_without_a_database_makes_none(here: Listener, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking is not writing."""
    elsewhere = here.folder / "elsewhere"
    monkeypatch.setenv("B24_DATA_DIR", str(elsewhere))

    told = run("--list")

    assert (0, "") == (told.status, told.out)
    assert not elsewhere.exists()


def test_only_the_last_fifty_are_listed_unless_chosen(here: Listener, run: Run) -> None:
    """A busy inbox fits the screen."""
    for _number in range(30):
        here.closed_task()
    here.arrive()

    told = run("--list")

    assert 51 == len(told.out.splitlines())
    assert "These are the last 50" in told.err
    assert 60 == len(run("--list", "--since", "1d", "--json").data)


def test_a_strange_name_does_nothing_to_a_terminal(here: Listener, run: Run) -> None:
    """Whoever knows the token may send any event."""
    here.receive(f"event=ON\x1b[31mREDREDREDREDREDRED&auth[application_token]={TOKEN}".encode())

    told = run("--list")

    assert "\x1b" not in told.out
    assert "ON[31MREDREDREDREDREDR…" in told.out
