"""Answers that are not only an answer: notices around the JSON, pages in its place; what of them is quoted."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.bitrix24.batch import Answer, Query
from b24tools.core import errors
from tests.support.http import SECRET, URL, FakeTime, Script, check_no_secret, error, ok, open_client, send

NOTICE = (
    "<br />\n<b>Deprecated</b>:  strlen(): Passing null in <b>/home/bitrix/www/init.php</b> on line <b>12</b><br />\n"
)
ANSWER = '{"result":{"tasks":[{"title":"{a} <b>"}]},"total":1}'
READ = Answer({"tasks": [{"title": "{a} <b>"}]}, 1)


def page(text: str, status: int = 200) -> httpx.Response:
    return httpx.Response(status, text=text)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (NOTICE, "", "Deprecated: strlen(): Passing null in /home/bitrix/www/init.php on line 12"),
        ("\nNotice: Undefined index: x in /a.php on line 3\n", "\n", "Notice: Undefined index: x in /a.php on line 3"),
        ("", "\n<!-- 0.05 s -->", "0.05 s"),
        ("", "<!-- 0.05 s -->\n" + NOTICE, "0.05 s Deprecated: strlen(): Passing null in /home/bitrix/www/init.php"),
        ("", " done", "done"),
        ("\ufeff", "trailing", "trailing"),
        ("<pre>object(A)#1 (0) {\n}\n</pre>", "", "object(A)#1 (0) { }"),
        ('Warning: bad {"error":"x"} in a.php\n', "", 'Warning: bad {"error":"x"} in a.php'),
        ('<b>Notice</b>: {"x":1}<br />\n', "\n", 'Notice: {"x":1}'),
        (f"Notice: {URL}\n", "", "Notice: https://plant.bitrix24.ru/rest/7/***/"),
    ],
)
def test_an_answer_among_other_text_is_read_and_the_text_is_quoted_once(before: str, after: str, words: str) -> None:
    """A box that shows its notices goes on to work; whoever runs this learns what to switch off."""
    said: list[str] = []
    script = Script(page(before + ANSWER + after), page(NOTICE + ANSWER))
    client = open_client(script, on_warn=said.append)
    assert [READ, READ] == [client.call("tasks.task.list"), client.call("tasks.task.list")]
    assert len(said) == 1
    assert f"“{words}" in said[0]
    assert "display_errors" in said[0]
    assert SECRET not in said[0]


@pytest.mark.parametrize("around", ["\ufeff{}", "\ufeff\ufeff{}", " \n{}\n\n"])
def test_blanks_and_marks_around_an_answer_are_no_matter(around: str) -> None:
    """PHP files saved with a byte order mark put one each before it."""
    said: list[str] = []
    assert READ == open_client(Script(page(around.format(ANSWER))), on_warn=said.append).call("tasks.task.list")
    assert said == []


def test_errors_and_batches_are_read_among_notices_as_well() -> None:
    """And mean what they always mean; a box's notices may be in windows-1251."""
    script = Script(
        httpx.Response(400, text=NOTICE + '{"error":"ERROR_CORE","error_description":"no"}'),
        page(NOTICE + '{"result":{"result":{"c0":5},"result_error":[]}}'),
        httpx.Response(200, content="Ошибка\n".encode("cp1251") + '{"result":"Ёж \\ud83d"}'.encode()),
    )
    client = open_client(script)
    with pytest.raises(errors.PortalError) as caught:
        client.call("tasks.task.add")
    assert ("tasks.task.add: no (ERROR_CORE)", "ERROR_CORE") == (str(caught.value), caught.value.portal_code)
    assert [Answer(5)] == send(client, Query("tasks.task.add"))
    assert Answer("Ёж ?") == client.call("app.info")


DOUBTFUL = [
    f'{{"error":"x"}}{ANSWER}',
    f'{{"error":"x"}} and then {ANSWER}',
    f"{NOTICE}{ANSWER}\n{ANSWER}",
    'Warning: bad {"result":1} in a.php',
    '<b>Warning</b>:\n{"error":"x"} in a.php<br />',
    '<pre>{"error":"x"}</pre>',
    f'{{"error":"quoted"}}\n{NOTICE}{{"result":{{"tasks":[',
    '<b>Fatal error</b>:  Uncaught Exception: HTTP 400\n{"error":"x"}\n in <b>/a.php</b>',
    f'{NOTICE}{{"tasks":[]}}',
    f"{NOTICE}[{ANSWER}]",
    NOTICE,
]


@pytest.mark.parametrize("text", DOUBTFUL)
def test_a_doubtful_answer_is_none(text: str) -> None:
    """JSON that a notice quotes says nothing of the call: a write may have run."""
    with pytest.raises(errors.PortalUncertain) as caught:
        open_client(Script(page(text))).call("tasks.task.add")
    check_no_secret(caught.value)


PIECES = [
    NOTICE,
    "\n",
    " ",
    'bad {"error":"x"} in a',
    'bad {"result":1}\n',
    '{"a":{}}',
    "{",
    "}",
    "<b>",
    "</b>",
    "<!-- -->",
    "текст",
]


@given(st.lists(st.sampled_from(PIECES), max_size=5), st.lists(st.sampled_from(PIECES), max_size=5))
def test_nothing_else_is_ever_taken_for_the_answer(before: list[str], after: list[str]) -> None:
    """Whatever stands around it: the answer itself, or a fate that is not known."""
    client = open_client(Script(page("".join(before) + ANSWER + "".join(after))))
    try:
        answer = client.call("tasks.task.add")
    except errors.PortalUncertain:
        return
    assert READ == answer


PAGES: list[tuple[Any, str]] = [
    (page(f"<html><title>\n Вход в &laquo;портал&raquo; </title><a href='{URL}'>"), "Вход в «портал»"),
    (page(f"<script>var x = '{URL}';</script><h1>Оплатите   <b>хостинг</b></h1>"), "Оплатите хостинг"),
    (page("It works!"), "It works!"),
    (page("<html><body><p>-</p></body></html>"), "-"),
    (page("a" * 500), "a" * 100),
    (httpx.Response(200, content="<TITLE>Заглушка</TITLE>".encode("cp1251")), "Заглушка"),
    (page(f"call of {URL.replace('s', '%73')} and \\/rest\\/1\\/abcdefgh12345678\\/x"), "call of http%73://plant"),
]


@pytest.mark.parametrize(("answer", "words"), PAGES)
def test_a_page_that_stays_is_an_error_for_a_person(answer: httpx.Response, words: str) -> None:
    """Three looks, then exit status 1 and the page's title: no cron comes by a login page with time."""
    time, script = FakeTime(), Script(answer, answer, answer)
    with pytest.raises(errors.PortalDenied) as caught:
        open_client(script, time).call("user.get")
    assert (caught.value.exit_status, time.naps, script.steps) == (1, [0.5, 1.0], [])
    assert caught.value.message.startswith(f"user.get: not an answer of the REST API (HTTP 200): “{words}")
    assert "check BITRIX_WEBHOOK_URL, HTTPS_PROXY and the portal's web server" in caught.value.hint
    assert "abcdefgh" not in caught.value.message
    check_no_secret(caught.value)


def test_a_page_that_goes_away_is_no_trouble() -> None:
    """A restart of the web server is over after the second look."""
    script = Script(page("<html>wait</html>"), page("<html>wait</html>"), ok(5))
    assert Answer(5) == open_client(script).call("user.get")


@pytest.mark.parametrize("methods", [["tasks.task.add"], ["user.get", "tasks.task.update"]])
def test_a_page_leaves_open_whether_a_write_was_done(methods: list[str]) -> None:
    """It is looked for before it is sent again; reads alone end with the page."""
    script = Script(page("<html>Sign in</html>"))
    with pytest.raises(errors.PortalUncertain) as caught:
        send(open_client(script), *map(Query, methods))
    assert "sent, but no answer came: not an answer of the REST API (HTTP 200): “Sign in”" == caught.value.message
    assert caught.value.sent_at is not None


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        (
            "<br />\n<b>Fatal error</b>:  Allowed memory size exhausted in <b>/a.php</b>",
            "Fatal error: Al",
            "memory_limit",
        ),
        (NOTICE, "Deprecated: strlen()", "memory_limit"),
        (NOTICE + ANSWER[:-5], "Deprecated: strlen()", "Try again later."),
    ],
)
def test_php_that_broke_off_is_tried_again_as_a_broken_server_is(text: str, words: str, hint: str) -> None:
    """Less at once may go; the hint names the log that says why."""
    with pytest.raises(errors.PortalBusy) as caught:
        open_client(Script(page(text)), retry_s=0).call("tasks.task.list")
    assert f"“{words}" in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (URL, "set HTTPS=on for PHP where X-Forwarded-Proto is https, or set https_request in bitrix/.settings.php."),
        (URL.replace("https:", "http:"), "The address in BITRIX_WEBHOOK_URL must begin with https://."),
    ],
)
def test_https_required_says_whose_https_is_missing(url: str, hint: str) -> None:
    """Behind a TLS proxy PHP may see plain http, however the address begins."""
    with pytest.raises(errors.PortalDenied) as caught:
        open_client(Script(error("INVALID_REQUEST", "Https required.", 401)), url=url).call("profile")
    assert caught.value.hint.endswith(hint)


@pytest.mark.parametrize("spelled", ["завод.рф", "xn--80aegj1b.xn--p1ai"])
@pytest.mark.parametrize(
    "location",
    [
        "https://завод.рф/",
        "https://Завод.рф./rest/7/abc/",
        f"https://{quote('завод.рф')}/",
        "https://xn--80aegj1b.xn--p1ai:443/",
    ],
)
def test_a_redirect_between_spellings_of_one_host_is_no_move(spelled: str, location: str) -> None:
    """The web server sends everybody round in circles; what it must take is its punycode."""
    moved = httpx.Response(301, headers=[(b"location", location.encode())])
    url = URL.replace("plant.bitrix24.ru", spelled)
    with pytest.raises(errors.ConfigError) as caught:
        open_client(Script(moved), url=url).call("profile")
    assert (caught.value.message, "xn--80aegj1b.xn--p1ai" in caught.value.hint) == (
        "завод.рф sends calls of the webhook to another spelling of its own name",
        True,
    )
    check_no_secret(caught.value)


@pytest.mark.parametrize(
    ("url", "location", "message"),
    [
        ("https://box.local/rest/", "https://box.local/portal/rest/", "the portal has moved to box.local/portal"),
        ("https://box.local/portal/rest/", "https://box.local/rest/", "the portal has moved to box.local"),
        ("https://box.local/portal/rest/", "https://new.local/rest/", "the portal has moved to new.local"),
        ("https://завод.рф/rest/", "https://xn--d1abbgf6aiiy.xn--p1ai/rest/", "the portal has moved to президент.рф"),
        ("https://box.local/p/rest/", "https://box.local/login", "box.local/p sends calls of the webhook elsewhere"),
        ("http://завод.рф/rest/", "https://xn--80aegj1b.xn--p1ai/rest/", "завод.рф wants https"),
    ],
)
def test_a_redirect_names_the_portal_with_its_folder(url: str, location: str, message: str) -> None:
    """What `config portal_host` is to be given."""
    tail = f"7/{SECRET}/"
    script = Script(
        httpx.Response(302, headers={"Location": location + (f"{tail}profile" if "rest" in location else "")})
    )
    with pytest.raises(errors.ConfigError) as caught:
        open_client(script, url=url + tail).call("profile")
    assert message == caught.value.message
    check_no_secret(caught.value)


def test_the_log_shows_how_a_strange_answer_begins(caplog: pytest.LogCaptureFixture) -> None:
    """Errors, pages, notices: 300 characters on one line, no secret in any spelling; other answers are not shown."""
    caplog.set_level(logging.DEBUG, logger="b24tools")
    spelled = "".join(f"%{ord(sign):02x}" for sign in SECRET)
    escaped = URL.replace("/", "\\/")
    strange = [
        error("ERROR_CORE", f"see {URL}x"),
        page("<html>\n\x1b[31m" + escaped + f" {spelled} \\u0073{SECRET[1:]} &#115;{SECRET[1:]}{'y' * 400}"),
        page('{"access_token":"abcdef123456","auth":\n"fedcba654321", "url":"\\/rest\\/9\\/0123456789abcdef\\/"'),
        page('<input name="sessid" id="sessid" value="0123456789abcdef">'),
        page(NOTICE + ANSWER),
        ok(["quiet"]),
    ]
    client = open_client(Script(*strange), retry_s=0)
    for _answer in strange:
        try:
            client.call("user.get")
        except errors.PortalError as caught:
            check_no_secret(caught)
    shown = [record.getMessage() for record in caplog.records if "begins" in record.getMessage()]
    stars = r"<html> [31mhttps:\/\/plant.bitrix24.ru\/rest\/7\/***\/ *** *** ***"
    assert shown == [
        'user.get: it begins: {"error":"ERROR_CORE","error_description":"see https://plant.bitrix24.ru/rest/7/***/x"}',
        "user.get: it begins: " + stars + "y" * (300 - len(stars)),
        'user.get: it begins: {"access_token":"***","auth": "***", "url":"\\/rest\\/9\\/***\\/"',
        'user.get: it begins: <input name="sessid" id="sessid" value="***">',
        "user.get: it begins: " + " ".join((NOTICE + ANSWER).split()),
    ]
    assert SECRET not in caplog.text


def test_the_answer_of_a_real_box_is_read() -> None:
    """A batch in which everything went well, behind a notice."""
    text = (
        "<br />\n<b>Deprecated</b>:  strlen(): Passing null in <b>/home/bitrix/www/bitrix/php_interface/init.php</b> "
        'on line <b>12</b><br />\n{"result":{"result":[],"result_error":[]}}\n'
    )
    said: list[str] = []
    client = open_client(Script(page(text)), on_warn=said.append, retry_s=0)
    (answer,) = send(client, Query("tasks.task.add"))
    assert (isinstance(answer.error, errors.PortalUncertain), len(said)) == (True, 1)
