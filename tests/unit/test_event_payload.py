"""Bodies of outgoing webhooks: those of the portal, those that people make, and those that nobody should."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.core.secrets import Scrubber
from b24tools.jobs.events import payload, replay_files
from b24tools.jobs.events.payload import Refusal, read_body, task_of

TOKEN = "REDACTEDREDACTEDREDACTEDREDACTED"
BODIES = Path(__file__).parent.parent / "data" / "events"
ADD, UPDATE, DELETE, COMMENT = (
    (BODIES / f"{name}.txt").read_bytes() for name in ("ontaskadd", "ontaskupdate", "ontaskdelete", "ontaskcommentadd")
)
PLAIN = UPDATE.replace(b"%5B", b"[").replace(b"%5D", b"]")


def refusal(body: bytes, content_type: str = "") -> Refusal:
    """Why a body is not taken."""
    with pytest.raises(Refusal) as caught:
        task_of(read_body(body, content_type))
    return caught.value


@pytest.mark.parametrize(
    ("body", "name", "task_id"),
    [
        (ADD, "ONTASKADD", 2536),
        (UPDATE, "ONTASKUPDATE", 2536),
        (DELETE, "ONTASKDELETE", 2536),
        (PLAIN, "ONTASKUPDATE", 2536),
        (UPDATE.replace(b"ONTASK", b"onTask"), "ONTASKUPDATE", 2536),
        (b"\xef\xbb\xbf" + UPDATE + b"\r\n", "ONTASKUPDATE", 2536),
        (UPDATE + b"&data[FIELDS_AFTER][ID]=17", "ONTASKUPDATE", 17),
        (b"event=ONTASKUPDATE&data[FIELDS][ID]=17", "ONTASKUPDATE", 17),
        (b"event=ONTASKDELETE&data%5BFIELDS%5D%5BID%5D=17", "ONTASKDELETE", 17),
        (COMMENT, "ONTASKCOMMENTADD", None),
        (b"event=ONCRMDEALADD&data[FIELDS][ID]=7", "ONCRMDEALADD", None),
    ],
)
def test_a_form_is_read_like_the_portal_writes_it(body: bytes, name: str, task_id: int | None) -> None:
    """Brackets encoded or not, `undefined` for a missing half, later values win, any case of the name."""
    event = read_body(body, "application/x-www-form-urlencoded")

    assert (name, task_id) == (event.name, task_of(event))


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", ""])
@pytest.mark.parametrize(
    "value",
    [
        {"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": {"ID": 5}}, "auth": {"application_token": TOKEN}},
        {"event": "ontaskupdate", "data": {"FIELDS_AFTER": {"ID": "5"}}, "auth": {"application_token": TOKEN}},
        {"event": "ONTASKUPDATE", "data[FIELDS_AFTER][ID]": "5", "auth[application_token]": TOKEN},
        {"event": "ONTASKUPDATE", "data[FIELDS_AFTER]": {"ID": 5}, "auth": {"application_token": TOKEN}},
        {"event": "ONTASKDELETE", "data": {"FIELDS_BEFORE": {"ID": 5}, "FIELDS_AFTER": "undefined"}}
        | {"auth": {"application_token": TOKEN}},
        {"event": "ONTASKDELETE", "data": {"FIELDS_BEFORE": {"ID": 5}, "FIELDS_AFTER": None}}
        | {"auth": {"application_token": TOKEN}},
        {"event": "ONTASKUPDATE", "data": {"FIELDS": {"ID": 5}}, "auth": {"application_token": TOKEN}},
        {"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": {"ID": 5.0}}, "auth": {"application_token": TOKEN}},
        {"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": {"ID": "5.0"}}, "auth": {"application_token": TOKEN}},
        {"event": "ONTASKUPDATE", "data": json.dumps({"FIELDS_AFTER": {"ID": 5}})}
        | {"auth": json.dumps({"application_token": TOKEN})},
        {"event": "ONTASKUPDATE", "data": json.dumps({"FIELDS": {"ID": "5"}}), "auth[application_token]": TOKEN},
        {"event": "ONTASKUPDATE", "data": {"FIELDS_AFTER": '{"ID": 5}'}, "auth": {"application_token": TOKEN}},
    ],
)
def test_json_is_read_nested_or_flat(value: Any, content_type: str) -> None:
    """Whatever its type is said to be."""
    event = read_body(json.dumps(value, indent=1).encode(), content_type)

    assert (5, TOKEN) == (task_of(event), event.token)


def test_the_moment_of_sending_is_read() -> None:
    """`ts` is in whole seconds; a body without it says nothing about when."""
    assert datetime(2026, 1, 22, 8, 40, 18, tzinfo=UTC) == read_body(UPDATE).sent_at
    assert None is read_body(UPDATE.replace(b"ts=1769071218", b"ts=soon")).sent_at


def test_json_in_a_field_of_a_form_is_read() -> None:
    """Some handlers pass on what they have read in their own way; it is hidden where it holds a token."""
    query = urlencode({"event": "ONTASKUPDATE", "data": '{"FIELDS":{"ID":5}}', "auth": '{"access_token":"abc"}'})
    event = read_body(query.encode())

    assert (5, "event=ONTASKUPDATE&data=%7B%22FIELDS%22%3A%7B%22ID%22%3A5%7D%7D&auth=***") == (
        task_of(event),
        event.body,
    )


@pytest.mark.parametrize("data", [{"FIELDS": {"ID": 5.5}}, '{"FIELDS": [5]}', '{"ID": 5}', "{", "5", {"ID": 5}, [5]])
def test_json_that_only_looks_alike_names_no_task(data: Any) -> None:
    """422, as for a form."""
    assert 422 == refusal(json.dumps({"event": "ONTASKUPDATE", "data": data}).encode()).status


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "1.5", "abc", "", "undefined", "1" * 19, "１２", "0x10", "5.", "5.0.0", "1e3", "5 OR 1=1", "²"],
)
def test_an_id_has_digits_only(number: str) -> None:
    """Else there is no task, which is 422."""
    body = f"event=ONTASKADD&data[FIELDS_AFTER][ID]={number}".encode()

    assert 422 == refusal(body).status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"&data=undefined",
        b"&data[FIELDS_AFTER]=undefined&data[FIELDS_BEFORE]=undefined",
        b"&data[FIELDS][id]=7",
        b"&data[ID]=7",
        b"&data[FIELDS_AFTER][ID][]=7",
        b"&data[]=7",
        b"&data[FIELDS_AFTER][TASK_ID]=7",
    ],
)
def test_a_task_event_without_a_task_is_named(data: bytes) -> None:
    """422, with the place where the id should be."""
    assert "ONTASKUPDATE has no task id in data[FIELDS_AFTER][ID]" == refusal(b"event=ONTASKUPDATE" + data).message


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", ""),
        (b" \r\n", ""),
        (b"hello", ""),
        (b"data[FIELDS_AFTER][ID]=7", ""),
        (b"<xml a='b'/>", "text/xml"),
        (b"\xff\xfe\x00", ""),
        (b"event=\xcf\xf0", ""),
        (b'{"event": ', "application/json"),
        (b'["ONTASKADD"]', "application/json"),
        (b'{"n": ' + b"1" * 5000 + b"}", "application/json"),
        (b'--x\r\nContent-Disposition: form-data; name="event"\r\n\r\nONTASKADD\r\n--x--', "multipart/form-data"),
    ],
)
def test_what_is_no_event_is_unreadable(body: bytes, content_type: str) -> None:
    """400."""
    assert 400 == refusal(body, content_type).status


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_compressed_body_is_named(pack: Callable[[bytes], bytes]) -> None:
    """400, with what to do."""
    refused = refusal(pack(UPDATE))

    assert (400, "the body cannot be read: it is compressed; send it as it is") == (refused.status, refused.message)


@pytest.mark.parametrize(
    "body",
    [
        UPDATE + b"&x=" + b"y" * payload.MOST_BYTES,
        b"event=ONTASKADD" + b"&a=1" * 1000,
        b"event=ONTASKADD&a" + b"[b]" * 8 + b"=1",
        b"event=ONTASKADD&a[" + b"9" * 5000 + b"][]=1&a[" + b"9" * 5000 + b"][]=1&a[]=1",
        json.dumps({"event": "ONTASKADD", "a": list(range(1000))}).encode(),
        json.dumps({"event": "ONTASKADD", "a": [[[[[[[[[1]]]]]]]]]}).encode(),
        b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"a":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    ],
)
def test_the_limits_come_before_everything_else(body: bytes) -> None:
    """413."""
    assert 413 == refusal(body).status


def test_what_is_just_within_the_limits_is_read() -> None:
    """A thousand pairs, eight levels, 64 KiB."""
    body = b"event=ONTASKADD&data[FIELDS_AFTER][ID]=7&a" + b"[b]" * 7 + b"=1" + b"&x=1" * 996
    body += b"&y=" + b"z" * (payload.MOST_BYTES - len(body) - 3)

    assert 7 == task_of(read_body(body))


@pytest.mark.parametrize(
    "body",
    [
        UPDATE,
        PLAIN,
        UPDATE.replace(TOKEN.encode(), b"%52" + TOKEN[1:].encode()),
        UPDATE + b"&auth[access_token]=" + TOKEN.encode() + b"&auth%5Brefresh_token%5D=" + TOKEN.encode(),
        UPDATE + b"&note=see%20" + TOKEN.encode(),
        UPDATE + b"&" + TOKEN.encode() + b"=1",
        json.dumps({"event": "ONTASKADD", "auth": {"application_token": TOKEN}, TOKEN: [TOKEN]}).encode(),
        json.dumps({"event": "ONTASKADD", "auth[application_token]": TOKEN, "x": {"y": f"-{TOKEN}"}}).encode(),
        b'{"event": "ONTASKADD", "auth": {"application_token": "\\u0052' + TOKEN[1:].encode() + b'"}}',
        b"event=" + TOKEN.encode() + b"&auth[application_token]=" + TOKEN.encode(),
    ],
)
def test_secrets_are_hidden_in_what_is_kept(body: bytes) -> None:
    """However they are written and wherever they stand; the rest of the text stays."""
    event = read_body(body, "", Scrubber([TOKEN]).scrub)

    assert TOKEN == event.token
    assert TOKEN not in event.body + repr(event)
    assert TOKEN.upper() not in event.name
    assert TOKEN[1:] not in event.body
    assert "***" in event.body
    assert event.name in event.body


def test_what_is_kept_says_the_same_as_what_came() -> None:
    """So that it can be read again."""
    for body in (ADD, UPDATE, DELETE, COMMENT, json.dumps({"event": "ONTASKADD", "x": "\ud800 Привет"}).encode()):
        kept = read_body(body).body.encode()

        assert (read_body(body).name, read_body(body).data) == (read_body(kept).name, read_body(kept).data)
        assert read_body(body).sha256 == read_body(kept).sha256


def test_duplicates_have_one_sum_whatever_their_token() -> None:
    """And other events have another."""
    rotated = UPDATE.replace(TOKEN.encode(), b"another")

    assert read_body(UPDATE).sha256 == read_body(rotated).sha256
    assert 4 == len({read_body(body).sha256 for body in (ADD, UPDATE, DELETE, UPDATE.replace(b"2536", b"2537"))})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["event", "data", "auth", "ID"]) | st.text(), inner)
    ),
)
PAIR = st.tuples(
    st.sampled_from(["event", "data[FIELDS_AFTER]", "data[FIELDS_AFTER][ID]", "auth[", "a[][]", "ts", "a]b[", ""])
    | st.text(),
    st.sampled_from(["ONTASKADD", "ONTASKDELETE", "undefined", "1", "%", "%zz", "%ff"]) | st.text(),
)


@pytest.mark.long
@given(
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "replace"))
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(["event", "data", "auth", "ts"]), JSON).map(lambda doc: json.dumps(doc).encode())
    | st.lists(PAIR).map(lambda pairs: "&".join(f"{key}={value}" for key, value in pairs).encode("utf-8", "replace")),
    st.sampled_from(["", "application/json", "multipart/form-data"]),
)
def test_no_body_brings_anything_but_a_refusal(body: bytes, content_type: str) -> None:
    """What can be read can be kept; a file of it can be read, too."""
    try:
        event = read_body(body, content_type, Scrubber(["1"]).scrub)
        event.body.encode()
        task_of(event)
    except Refusal as refusal:
        assert refusal.status in (400, 413, 422)
    for entry in replay_files.read("file", body):
        assert (entry.event is None) != (entry.refusal is None)
