"""Messages: Russian is complete, fits the English, and is what is installed."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from b24tools.cli import app
from b24tools.core import errors, i18n
from scripts import update_translations as messages

RUSSIAN_FORMS = 3


def _fields(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def _pairs(message: Message) -> list[tuple[str, str]]:
    ids = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
    texts = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return [(ids[-1], text) for text in texts]


def test_every_message_has_a_russian_translation() -> None:
    """What the code can say, the catalogue says in Russian, and nothing else."""
    in_code = {(message.context, message.id) for message in messages.extract() if message.id}
    catalog = messages.read()

    translated = {
        (message.context, message.id)
        for message in catalog
        if message.id and all(text for _id, text in _pairs(message))
    }

    assert translated == in_code
    assert not [message.id for message in catalog if message.id and message.fuzzy]
    assert not catalog.obsolete


@pytest.mark.long
def test_every_message_in_the_code_is_extracted() -> None:
    """Babel passes over calls inside f-strings, and what is no literal cannot be translated."""
    extracted = {
        text
        for message in messages.extract()
        for text in (message.id if isinstance(message.id, (tuple, list)) else (message.id,))
    }
    lost = [
        f"{path.name}:{node.lineno}"
        for path in messages.PACKAGE.rglob("*.py")
        if path.name != "i18n.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (place := {"_": 0, "ngettext": 0, "pgettext": 1}.get(node.func.id)) is not None
        if not (isinstance(node.args[place], ast.Constant) and node.args[place].value in extracted)
    ]

    assert [] == lost


# "1 orders" is wrong in each language: what is counted is said by ngettext, but for numbers that never are 1
COUNTED = re.compile(
    r"\{(\w+)[^}]*\} (?:(?:more|of|is|are) )?"
    r"(absence|backup|character|day|entr|event|file|holiday|item|line|member|order|people|person|request|row|task|write)"
    r"(?:s|ies)?\b"
)
NEVER_ONE = {
    "\nOne look at the portal, {count} writes: it is still one set of tasks.\n",  # of the demo: 0
    "{n} orders are under way",  # the most at a time
    "{count} orders lie in different places of one object: send a list of orders",
    "{count} items are more than the {most} an order may hold",
    "team goal: {done} of {target} tasks ({percent}%)",
}
NEVER_ONE_NAMES = {
    "most",
    "sent",
    "width",
    "people",
    "tasks",
    "events",
    "fewest",
    "country",
    "days",
    "user",
}  # limits; of the demo


@pytest.mark.long
def test_what_is_counted_has_forms_for_one_and_more() -> None:
    """Messages without a plural count nothing that may be one."""
    wrong = [
        message.id
        for message in messages.extract()
        if isinstance(message.id, str) and message.id not in NEVER_ONE
        if any(match[1] not in NEVER_ONE_NAMES for match in COUNTED.finditer(message.id))
    ]

    assert [] == wrong


NAMES = ("Parquet", "Task Scheduler")


def _first_message(node: ast.expr) -> str:
    """The text that an argument begins with, if it is a message; "" if not."""
    match node:
        case ast.Call(func=ast.Name("_" | "ngettext"), args=[ast.Constant(str(text)), *_rest]):
            return text
        case ast.Call(func=ast.Attribute(value=inner, attr="format")) | ast.BinOp(left=inner) | ast.IfExp(body=inner):
            return _first_message(inner)
    return ""


@pytest.mark.long
def test_errors_begin_small_and_hints_are_sentences() -> None:
    """An error is often quoted within a sentence; names stay as they are written."""
    kinds = {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type)} | {"HttpError"}
    wrong = []
    for path in messages.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in kinds:
                continue
            texts = [*map(_first_message, node.args), "", ""]
            texts = texts[1:] if ast.unparse(node.func).endswith("HttpError") else texts  # its status comes first
            word = texts[0].partition(" ")[0]
            if word[:1].isupper() and "_" not in word and not texts[0].startswith(NAMES):
                wrong.append(texts[0])
            if texts[1][:1].islower():
                wrong.append(texts[1])

    assert [] == wrong


def test_a_translation_has_the_places_of_the_original() -> None:
    """`{name}` stands in both, or a message would fail while it is told."""
    wrong = [
        (original, text)
        for message in messages.read()
        if message.id
        for original, text in _pairs(message)
        if _fields(original) != _fields(text)
    ]

    assert [] == wrong


def test_names_stand_between_russian_quotation_marks() -> None:
    """Straight ones are of commands and of JSON only; a list of names gets its marks by `quote`."""
    wrong = [
        text
        for message in messages.read()
        if message.id
        for _original, text in _pairs(message)
        if re.search(r'"\{\w+\}"', re.sub("`[^`]*`", "", text))
    ]

    assert [] == wrong
    i18n.use("ru")
    assert "«Сварщик»" == i18n.quote("Сварщик")


def test_russian_counts_have_three_forms() -> None:
    """1 задача, 2 задачи, 5 задач."""
    plurals = [message for message in messages.read() if isinstance(message.id, (tuple, list))]

    assert plurals
    assert {RUSSIAN_FORMS} == {len(message.string) for message in plurals}


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    """`python -m scripts.update_translations` was run after the last change."""
    assert messages.RU.with_suffix(".mo").read_bytes() == messages.compiled(messages.read())


def test_russian_messages_are_russian() -> None:
    """A copied English sentence is no translation."""
    same = [
        original
        for message in messages.read()
        if message.id
        for original, text in _pairs(message)
        if re.search(r"[a-z]{4,} [a-z]{3,}", text) and not re.search(r"[а-яё]", text)
    ]

    assert [] == same


@pytest.mark.parametrize(("n", "expected"), [(1, "1 задача"), (3, "3 задачи"), (11, "11 задач"), (21, "21 задача")])
def test_russian_plural(n: int, expected: str) -> None:
    """The forms are chosen as Russian has it."""
    i18n.use("ru")

    assert expected == i18n.ngettext("{n} task", "{n} tasks", n).format(n=n)


@pytest.mark.parametrize(
    ("arguments", "english", "russian"),
    [
        ("leaderboard last week", "unexpected words: week.", "лишние слова: week."),
        (
            "load --weekz",
            "no such option: --weekz (the nearest is --weeks).",
            "нет параметра --weekz (похожие: --weeks).",
        ),
        ("leaderboard --top", "the option --top wants a value.", "для --top нужно значение."),
        ("leaderboard --teams=1", "the option --teams takes no value.", "у --teams не бывает значения."),
        ("asign", "No such command asign (the nearest is assign).", "Нет команды «asign» (похожие: assign)."),
        ("leaderboard --top 0", "--top: the value does not fit: it must be at least 1.", "нужно не меньше 1."),
        ("serve --port 99999", "--port: the value does not fit: it must be at most 65535.", "нужно не больше 65535."),
        ("leaderboard --top x", "--top: the value does not fit: it must be a whole number.", "нужно целое число."),
        (
            "leaderboard --by names",
            "--by: the value does not fit: it must be one of tasks, hours.",
            "возможны только tasks, hours.",
        ),
    ],
)
def test_a_wrong_command_line_is_told_in_one_language(
    capsys: pytest.CaptureFixture[str], arguments: str, english: str, russian: str
) -> None:
    """Typer itself speaks English only."""
    name = arguments.split()[0]
    page = "b24tools --help" if name == "asign" else f"b24tools {name} --help"
    assert 2 == app.main(arguments.split())
    assert f"{english} `{page}` shows the usage.\n" == capsys.readouterr().err
    i18n.use("ru")
    assert 2 == app.main(arguments.split())
    assert capsys.readouterr().err.endswith(f"{russian} Справка: `{page}`.\n")


@pytest.mark.parametrize(
    "arguments", [["--env-file", "ru.env", "--help"], ["-q", "--env-file=ru.env", "assign", "--help"]]
)
def test_a_help_page_is_in_the_language_of_the_chosen_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], tmp_path: Path
) -> None:
    """The options of one run decide, and each run anew; a file that is missing decides nothing."""
    monkeypatch.delenv("B24_LANG")
    monkeypatch.setenv("LC_ALL", "C")
    (tmp_path / "ru.env").write_text("B24_LANG=ru", encoding="utf-8")
    pages = []
    for words in (arguments, ["--env-file", "missing.env", *arguments[-1:]]):
        assert 0 == app.main(words)
        pages.append(capsys.readouterr().out)
    assert ["Вызов:", "Usage:"] == [page.split()[0] for page in pages]
    assert "Параметры:" in pages[0] and "Show" not in pages[0]
    assert "Options:" in pages[1] and not re.search("[а-я]", pages[1])
