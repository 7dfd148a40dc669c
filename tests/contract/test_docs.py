"""What the pages, .env-example and the crontab say is so, and both languages say the same."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
import typer.main

from b24tools import context
from b24tools.cli import app
from b24tools.core import config, errors
from b24tools.jobs.doctor.job import IGNORED, list_names
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company, server
from b24tools.scheduling import calendar_file, people_file
from b24tools.scheduling.holidays import production_calendar
from scripts import draw_readme, write_api_docs, write_commands
from tests.support.orders import MOSCOW
from tests.support.server import serving

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "b24tools"
PAIRS = {ROOT / "README.md": DOCS / "README.ru.md"} | {
    DOCS / page.name: page for page in sorted((DOCS / "ru").glob("*.md"))
}
ENGLISH_ONLY = [DOCS / "architecture.md", *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]
PAGES = [*PAIRS, *PAIRS.values(), *ENGLISH_ONLY]
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=_name)
each_pair = pytest.mark.parametrize(("english", "russian"), PAIRS.items(), ids=map(_name, PAIRS))


def both(name: str) -> pytest.MarkDecorator:
    """The page of this name in both languages."""
    return pytest.mark.parametrize("page", [DOCS / name, DOCS / "ru" / name], ids=["en", "ru"])


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _prose(path: Path) -> str:
    return CODE.sub("", _text(path))


def _blocks(path: Path, *kinds: str) -> list[str]:
    """The fenced blocks of these kinds; "" and "sh" are shell commands."""
    return [body for kind, body in CODE.findall(_text(path)) if kind in kinds]


def _shell(path: Path) -> list[str]:
    """The commands of the shell blocks, without their comments."""
    lines = [re.sub(r"\s+#.*", "", line) for block in _blocks(path, "", "sh") for line in block.splitlines()]
    return [line for line in lines if line]


def _tables(path: Path) -> list[list[list[str]]]:
    """The cells of every table, the heading first."""
    tables = re.findall(r"(?:^\|.*\|$\n?)+", _prose(path), re.M)
    rows = [[row.strip("|").split("|") for row in table.splitlines()] for table in tables]
    return [[[cell.strip() for cell in row] for row in table if row[0].strip("-: ")] for table in rows]


def _table(path: Path, heading: str) -> list[list[str]]:
    """The rows of the first table whose heading begins with this word."""
    return next(table[1:] for table in _tables(path) if table[0][0] == heading)


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _anchors(path: Path) -> set[str]:
    """The headings as GitHub names them in addresses."""
    headings = re.findall(r"^#+ (.*)", _prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(path: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)]+)\)", _prose(path)) if "://" not in link]


def _calls(line: str) -> Iterator[list[str]]:
    """The arguments of every b24tools that a line of a shell, of systemd or of Windows starts."""
    line = line.removeprefix("ExecStart=")
    if re.match(r"[A-Z][A-Za-z]+=", line):  # of systemd
        return
    if task := re.search(r'/TR "([^"]+)"', line):
        line = task[1]
    for command in re.split(r"&&|[<>|]", line):
        words = shlex.split(command, posix="\\" not in command)
        for place, word in enumerate(words):
            if PureWindowsPath(word).stem == "b24tools" and (place == 0 or word.endswith(".exe")):
                yield words[place + 1 :]
                break


@cache
def _commands() -> Any:
    return typer.main.get_command(app.app)


def _parse(words: list[str]) -> None:
    """Parse a command line as the program would, without running it; raises a usage error."""
    group = _commands()
    parsed = group.make_context("b24tools", [word for word in words if word != "--help"], resilient_parsing=False)
    rest = [*parsed._protected_args, *parsed.args]
    if rest:
        name, command, arguments = group.resolve_command(parsed, rest)
        command.make_context(name, arguments, parent=parsed)


# the pages


def test_both_languages_have_the_same_pages() -> None:
    """All but the architecture, which is for those who read the code."""
    assert {page.name for page in DOCS.glob("*.md")} - {"README.ru.md", "architecture.md"} == {
        page.name for page in (DOCS / "ru").glob("*.md")
    }


@each_pair
def test_both_languages_have_the_same_commands_and_code(english: Path, russian: Path) -> None:
    """Only what is said about them is translated."""
    assert _shell(english) == _shell(russian)
    for kind in ("json", "bsl", "nginx", "ini"):
        assert _blocks(english, kind) == _blocks(russian, kind)


@each_pair
def test_both_languages_are_built_alike(english: Path, russian: Path) -> None:
    """The same headings by level, the same pictures, tables with the same names, settings and numbers."""
    pages = (english, russian)
    headings = [re.findall(r"^(#+) ", _prose(page), re.M) for page in pages]
    pictures = [
        [
            (page.parent / link).resolve().name.replace(".ru.", ".")
            for link in re.findall(r"!\[.*?\]\((.*?)\)", _text(page))
        ]
        for page in pages
    ]
    first_cells = [[[_names(row[0]) or len(row) for row in table] for table in _tables(page)] for page in pages]

    assert headings[0] == headings[1]
    assert pictures[0] == pictures[1]
    assert first_cells[0] == first_cells[1]


@each_page
def test_the_commands_of_a_page_exist(page: Path) -> None:
    """With their options, for a shell, for systemd and for Windows."""
    group = _commands()
    for line in [line for block in _blocks(page, "", "sh", "ini") for line in block.splitlines()]:
        for words in _calls(re.sub(r"\s+#.*", "", line)):
            _parse(words)
    for command in re.findall(r"`b24tools ([^`…]+)`", _text(page)):
        words = shlex.split(command)
        if len(words) == 1 and not words[0].startswith("-"):
            assert words[0] in group.commands
        else:
            _parse(words)


@each_page
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """To files and pictures of this repository, and to headings by GitHub's rule for their names."""
    broken = []
    for link in _links(page):
        file, _hash, heading = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.is_file() or (heading and heading not in _anchors(target)):
            broken.append(link)
    assert [] == broken


@pytest.mark.parametrize(("readme", "language"), [(ROOT / "README.md", "en"), (DOCS / "README.ru.md", "ru")])
def test_a_readme_is_short_and_leads_to_every_page(readme: Path, language: str) -> None:
    """At most 200 lines and three pictures; it names every command; no page is left out."""
    group = _commands()
    pages = set(PAIRS if language == "en" else PAIRS.values()) - {readme}
    linked = {(readme.parent / link.partition("#")[0]).resolve() for link in _links(readme)}

    assert 200 >= len(_text(readme).splitlines())
    assert 3 == len(re.findall(r"^!\[", _text(readme), re.M))
    assert [] == [name for name in group.commands if f"`b24tools {name}`" not in _text(readme)]
    assert set() == {*pages, *ENGLISH_ONLY} - linked


@both("json.md")
def test_all_codes_of_errors_are_listed(page: Path) -> None:
    """In the order of the enum, where a programmer looks for what else there is."""
    tables = [table[1:] for table in _tables(page) if table[0][0] in ("code", "код")]
    assert [[f"`{code}`" for code in errors.ErrorCode]] == [[row[0] for row in table] for table in tables]


@pytest.mark.parametrize("language", draw_readme.SUFFIXES)
def test_the_pictures_are_what_the_program_draws(language: str) -> None:
    """`python -m scripts.draw_readme` was run after the last change of a table's look."""
    drawn = draw_readme.draw_screens(language)

    assert drawn == {name: _text(draw_readme.picture(name, language)) for name in draw_readme.SCREENS}


@pytest.mark.parametrize(("readme", "language"), [(ROOT / "README.md", "en"), (DOCS / "README.ru.md", "ru")])
def test_the_reason_in_a_readme_is_what_the_demo_says(readme: Path, language: str) -> None:
    """Of the task that both show."""
    (block,) = _blocks(readme, "text")

    assert block in _text(ROOT / "tests" / "golden" / f"demo.{language}.txt")


@pytest.mark.parametrize("page", [DOCS / "architecture.md", ROOT / "CONTRIBUTING.md"], ids=_name)
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    """From the root of the repository or from the package; in a section about a folder, somewhere in that folder."""
    missing = []
    for section in re.split(r"^#+ ", _prose(page), flags=re.M):
        heading, _newline, body = section.partition("\n")
        folders = [PACKAGE / name for name in _names(heading) if name.endswith("/")]
        for name in re.findall(r"`([\w.-]+/[\w./-]*|[\w.-]+\.py)`", body):
            places = [ROOT / name, PACKAGE / name, *(path for folder in folders for path in folder.rglob(name))]
            if not any(place.exists() for place in places):
                missing.append(name)
    assert [] == missing


def test_the_architecture_names_every_module() -> None:
    """But those of the sandbox, and those that are called as their command is."""
    named = set(re.findall(r"`(?:[\w.-]+/)*(\w+\.py)`", _prose(DOCS / "architecture.md")))
    commands = {f"{name.replace('-', '_')}.py" for name in app.COMMANDS}
    unnamed = [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if PACKAGE / "sandbox" not in path.parents
        if path.name not in named and not path.name.startswith("__")
        if path.name not in commands or path.parent.name not in ("cli", "render")
    ]

    assert [] == unnamed


# settings


def test_env_example_names_all_settings() -> None:
    """Each with a line of explanation before it."""
    lines = _text(ROOT / ".env-example").splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    explained = [after.partition("=")[0] for line, after in itertools.pairwise(lines) if line.startswith("#")]

    assert config.names() == names
    assert set(names) <= set(explained)


@pytest.mark.parametrize(("page", "heading"), [("settings.md", "setting"), ("ru/settings.md", "настройка")])
def test_the_settings_page_lists_all_settings(page: str, heading: str) -> None:
    """In the order of the code, with the defaults of .env-example; what is said in words is said in two languages."""
    rows = {_names(row[0])[0]: row[1] for row in _table(DOCS / page, heading)}
    example = dict(re.findall(r"^([A-Z0-9_]+)=(.+)$", _text(ROOT / ".env-example"), re.M))
    defaults = {name: cell.strip("`") for name, cell in rows.items() if cell.startswith("`")}

    assert config.names() == list(rows)
    assert {name: value for name, value in example.items() if name in defaults} == defaults


@both("settings.md")
def test_the_settings_page_lists_the_running_settings(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With their defaults, as `b24tools config` shows them."""
    _settings, running = _tables(page)
    rows = {_names(row[0])[0]: row[1].strip("`") for row in running[1:]}

    app.main(["config", "--json"])

    assert {setting["key"]: setting["value"] for setting in json.loads(capsys.readouterr().out)["data"]} == rows


def test_the_crontab_names_existing_commands() -> None:
    """With `--env-file`, because cron has no current folder to find .env from."""
    variables: dict[str, str] = {}
    commands = []
    for line in _text(ROOT / "crontab.example").splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            variables[match[1]] = match[2]
        elif line.strip() and not line.startswith("#"):
            commands.append(line.split(maxsplit=5)[5])
    assert commands
    for command in commands:
        for name, value in variables.items():
            command = command.replace(f"${name}", value)
        (words,) = _calls(command)
        assert "--env-file" in words
        _parse(words)


# calendar, exit statuses, doctor


@both("calendar.md")
def test_the_calendar_on_a_page_can_be_read_and_names_the_years_that_were_checked(page: Path) -> None:
    """calendar.json as it is printed; the years of each country as the program has them."""
    (days,) = _blocks(page, "json")
    (table,) = _tables(page)
    years = {_names(country)[0]: checked for country, checked in table[1:]}

    assert 5 == len(calendar_file.parse(days.encode(), "calendar.json").days)
    assert {
        country: ", ".join(map(str, sorted(production_calendar(country).verified)))
        for country in ("RU", "BY", "KZ", "UZ")
    } == years


@pytest.mark.parametrize(("page", "heading"), [("doctor.md", "status"), ("ru/doctor.md", "код")], ids=["en", "ru"])
def test_every_exit_status_is_explained(page: str, heading: str) -> None:
    """Success, a part of an order, Ctrl-C, and those of the errors."""
    named = [value for value in vars(errors).values() if isinstance(value, type)]
    statuses = {kind.exit_status for kind in named if issubclass(kind, errors.B24ToolsError)}

    assert sorted({0, 3, app.INTERRUPTED} | statuses) == [int(row[0]) for row in _table(DOCS / page, heading)]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The demo company on a port, with the program's clock on the Monday of the pictures."""
    portal = demo_company.build(lambda: draw_readme.MONDAY)
    monkeypatch.setattr(context, "now", lambda: draw_readme.MONDAY)
    monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
    with server.serve(portal) as base_url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url(base_url))
        yield


@pytest.mark.parametrize(("page", "heading"), [("doctor.md", "check"), ("ru/doctor.md", "проверка")], ids=["en", "ru"])
def test_every_check_of_doctor_is_explained(page: str, heading: str) -> None:
    """Also those that report only where there is something: an inbox, a shared database, an order, the test task."""
    explained = [name for row in _table(DOCS / page, heading) for name in _names(row[0])]

    assert sorted([*list_names(), IGNORED]) == sorted(explained)


@both("planning.md")
def test_the_people_on_a_page_can_be_read(page: Path) -> None:
    """people.json as it is printed."""
    (file,) = _blocks(page, "json")
    assert (2, 3) == people_file.parse(file.encode(), "people.json").schedules


# 1C and programs


@pytest.mark.parametrize(("page", "heading"), [("1c.md", "key"), ("ru/1c.md", "ключ")], ids=["en", "ru"])
def test_the_order_on_a_page_has_the_keys_of_its_table(page: str, heading: str) -> None:
    """And b24tools reads it."""
    (sample,) = _blocks(DOCS / page, "json")
    keys = {name for row in _table(DOCS / page, heading) for cell in row for name in _names(cell)}

    (order,) = onec_order.read_orders(sample.encode(), MOSCOW)

    assert set(json.loads(sample)) | set(json.loads(sample)["Калькуляция"][0]) <= keys
    assert "1Ц-00000070" == order.number
    assert 4 == len(_blocks(DOCS / page, "bsl"))


@pytest.mark.usefixtures("sandbox")
def test_the_answer_on_the_page_is_what_comes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the order printed for 1C, on the demo company."""
    (sample,), (answer,) = _blocks(DOCS / "1c.md", "json"), _blocks(DOCS / "json.md", "json")
    (tmp_path / "order.json").write_text(sample, encoding="utf-8")

    assert 0 == app.main(["assign", "order.json", "--json"])

    assert json.loads(answer) == json.loads(capsys.readouterr().out)


def test_the_tables_of_the_models_are_those_of_the_code() -> None:
    """`python -m scripts.write_api_docs` was run, each sentence is translated, each model described once."""
    pages, said = write_api_docs.fill_pages()
    russian = {str(message.id): message.string for message in write_api_docs.read() if message.id}
    english = "\n".join(_text(path) for path in pages if path.parent == DOCS)

    assert [] == [_name(path) for path, text in pages.items() if _text(path) != text]
    assert said == {text for text, translation in russian.items() if translation}
    assert sorted(write_api_docs.list_shapes()) == sorted(re.findall(r"^### ([A-Z]\w+)$", english, re.M))


def test_the_pages_of_commands_are_the_help() -> None:
    """`python -m scripts.write_commands` was run after the last change of a command or a translation."""
    files = write_commands.write_all()
    assert files == {path: _text(path) for path in files}


def test_the_addresses_on_the_page_are_those_of_the_service(tmp_path: Path) -> None:
    """As /openapi.json has them."""
    cells = [name for row in _table(DOCS / "http.md", "address") for name in _names(row[0])]
    with serving(demo_company.build(lambda: draw_readme.MONDAY), tmp_path) as opened:
        paths = opened.client.get("/openapi.json").json()["paths"]

    assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == {
        cell.partition("?")[0].replace("KEY", "{key}") for cell in cells
    }
