"""What the READMEs, .env-example and the crontab say is so, and the two READMEs say the same."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main

from b24tools.cli import app
from b24tools.core import config
from b24tools.onec import order as onec_order
from b24tools.render import assign
from b24tools.sandbox import demo_company
from b24tools.scheduling import calendar_file
from b24tools.scheduling.holidays import production_calendar
from tests import picture
from tests.plant import MOSCOW, Clock, Works

ROOT = Path(__file__).parent.parent
ENGLISH = ROOT / "README.md"
RUSSIAN = ROOT / "docs" / "README.ru.md"
READMES = pytest.mark.parametrize("readme", [ENGLISH, RUSSIAN], ids=["en", "ru"])


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _blocks(path: Path, kind: str) -> list[str]:
    """The fenced blocks of a kind; "" and "sh" are shell commands."""
    return [body for name, body in re.findall(r"^```(\w*)\n(.*?)^```$", _text(path), re.M | re.S) if name == kind]


def _shell(path: Path) -> list[str]:
    """The commands of the shell blocks, without their comments."""
    lines = [
        re.sub(r"\s+#.*", "", line)
        for kind in ("", "sh")
        for block in _blocks(path, kind)
        for line in block.splitlines()
    ]
    return [line for line in lines if line]


def _first_cells(path: Path, heading: str) -> list[str]:
    """The first column of the table under the heading that has this one in it."""
    rows = re.findall(r"^\|(.*)\|$", _text(path), re.M)
    start = next(place for place, row in enumerate(rows) if row.strip().startswith(heading))
    cells = []
    for row in rows[start + 2 :]:
        cell = row.split("|")[0].strip()
        if not re.match(r"`|\d", cell):
            break
        cells.append(cell.strip("`"))
    return cells


def _check_command_line(words: list[str]) -> None:
    """Parse a command line as the program would, without running it; raises a usage error."""
    group: Any = typer.main.get_command(app.app)
    parsed = group.make_context("b24tools", words, resilient_parsing=False)
    rest = [*parsed._protected_args, *parsed.args]
    if rest:
        name, command, arguments = group.resolve_command(parsed, rest)
        command.make_context(name, arguments, parent=parsed)


def test_env_example_names_all_settings() -> None:
    """Each with a line of explanation before it."""
    lines = _text(ROOT / ".env-example").splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    explained = [after.partition("=")[0] for line, after in itertools.pairwise(lines) if line.startswith("#")]

    assert config.names() == names
    assert set(names) <= set(explained)


@pytest.mark.parametrize(("readme", "heading"), [(ENGLISH, "setting"), (RUSSIAN, "настройка")], ids=["en", "ru"])
def test_a_readme_lists_all_settings(readme: Path, heading: str) -> None:
    """In the order of the code."""
    assert config.names() == _first_cells(readme, heading)


def test_the_defaults_in_both_readmes_and_in_env_example_are_the_same() -> None:
    """Those that are values; what is told in words is told in two languages."""
    pattern = re.compile(r"^\| `([A-Z0-9_]+)` \| `([^`]*)` \|", re.M)
    example = dict(re.findall(r"^([A-Z0-9_]+)=(.+)$", _text(ROOT / ".env-example"), re.M))

    english, russian = (dict(pattern.findall(_text(path))) for path in (ENGLISH, RUSSIAN))

    assert english == russian
    assert {name: value for name, value in english.items() if name in example} == {
        name: value for name, value in example.items() if name in english
    }


@READMES
def test_a_readme_mentions_every_command(readme: Path) -> None:
    """What `b24tools --help` lists."""
    group: Any = typer.main.get_command(app.app)

    assert [] == [name for name in group.commands if f"b24tools {name}" not in _text(readme)]


@READMES
def test_the_commands_of_a_readme_exist(readme: Path) -> None:
    """With their options."""
    inline = re.findall(r"`(b24tools [^`…]*)`", _text(readme))
    for line in [*_shell(readme), *inline]:
        for command in re.split(r"&&|[<>]", line):
            words = shlex.split(command)
            if words and Path(words[0]).name == "b24tools":
                _check_command_line([word for word in words[1:] if word != "--help"])


def test_both_readmes_have_the_same_commands_and_code() -> None:
    """Only what is said about them is translated."""
    assert _shell(ENGLISH) == _shell(RUSSIAN)
    assert len(_blocks(ENGLISH, "bsl")) == 2
    for kind in ("json", "bsl", "nginx", "ini"):
        assert _blocks(ENGLISH, kind) == _blocks(RUSSIAN, kind)


def test_both_readmes_have_the_same_endpoints() -> None:
    """In the same order."""
    endpoints = re.compile(r"^\| `((?:GET|POST) /\S*)` \|", re.M)

    assert endpoints.findall(_text(ENGLISH))
    assert endpoints.findall(_text(ENGLISH)) == endpoints.findall(_text(RUSSIAN))


def test_both_readmes_are_built_alike() -> None:
    """The same headings by level, tables of the same length."""
    headings = [
        re.findall(r"^(#+) ", re.sub(r"```.*?```", "", _text(path), flags=re.S), re.M) for path in (ENGLISH, RUSSIAN)
    ]
    rows = [len(re.findall(r"^\|", _text(path), re.M)) for path in (ENGLISH, RUSSIAN)]

    assert headings[0] == headings[1]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("readme", "heading"), [(ENGLISH, "status"), (RUSSIAN, "код")], ids=["en", "ru"])
def test_a_readme_explains_every_exit_status(readme: Path, heading: str) -> None:
    """Those of the errors, and success."""
    assert ["0", "1", "2", "3", "75"] == _first_cells(readme, heading)


@pytest.mark.parametrize(("readme", "heading"), [(ENGLISH, "key"), (RUSSIAN, "ключ")], ids=["en", "ru"])
def test_the_order_in_a_readme_has_the_keys_of_its_table(readme: Path, heading: str) -> None:
    """And b24tools reads it."""
    _days, sample, _answer = _blocks(readme, "json")
    told = {key for row in re.findall(r"^\|(.*)\|$", _text(readme), re.M) for key in re.findall(r"`([А-Яа-я]+)`", row)}

    (order,) = onec_order.read_orders(sample.encode(), MOSCOW)

    assert set(json.loads(sample)) <= told
    assert set(json.loads(sample)["Калькуляция"][0]) <= told
    assert "1Ц-00000070" == order.number


@READMES
def test_the_calendar_in_a_readme_can_be_read_and_names_the_years_that_were_checked(readme: Path) -> None:
    """calendar.json as it is printed; the years of each country as the program has them."""
    days, _sample, _answer = _blocks(readme, "json")
    told = dict(re.findall(r"^\| `([A-Z]{2})` \| ([0-9, ]+) \|$", _text(readme), re.M))

    assert 5 == len(calendar_file.parse(days.encode(), "calendar.json").days)
    assert {
        country: ", ".join(map(str, sorted(production_calendar(country).verified)))
        for country in ("RU", "BY", "KZ", "UZ")
    } == told


def test_the_answer_in_the_readme_is_what_comes(tmp_path: Path) -> None:
    """Of the order printed there, on the demo plant."""
    _days, sample, answer = _blocks(ENGLISH, "json")
    clock = Clock()
    works = Works(demo_company.build(clock), tmp_path, clock)
    (order,) = onec_order.read_orders(sample.encode(), MOSCOW)

    data = json.loads(json.dumps(assign.data(works.assign(order), MOSCOW)))

    assert _shape(json.loads(answer)["data"]) == _shape(data)
    assert {"version", "command", "ok", "data", "warnings", "error"} == set(json.loads(answer))


def _shape(value: Any) -> Any:
    """Keys and kinds of values, without the values."""
    if isinstance(value, dict):
        return {key: _shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shape(one) for one in value]
    if isinstance(value, str):
        try:
            return "moment" if datetime.fromisoformat(value).tzinfo else "text"
        except ValueError:
            return "text"
    return type(value).__name__


@pytest.mark.parametrize("language", picture.PICTURES)
def test_the_picture_is_what_the_program_draws(language: str) -> None:
    """`python -m tests.picture` was run after the last change of the table's look."""
    assert picture.draw(language) == _text(picture.PICTURES[language])


@READMES
def test_the_links_inside_a_readme_lead_to_its_headings(readme: Path) -> None:
    """By GitHub's rule for the names of headings."""
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)", _text(readme), re.M)}

    assert set(re.findall(r"\]\(#([^)]+)\)", _text(readme))) <= headings


@READMES
def test_the_links_of_a_readme_lead_somewhere(readme: Path) -> None:
    """Files of this repository."""
    links = [
        link for link in re.findall(r"\]\(([^)]+)\)", _text(readme)) if "://" not in link and not link.startswith("#")
    ]

    assert links
    assert [] == [link for link in links if not (readme.parent / link).exists()]


def test_the_crontab_names_existing_commands() -> None:
    """With `--env-file`, because cron has no current folder to find .env from."""
    variables: dict[str, str] = {}
    commands = []
    for line in _text(ROOT / "crontab.example").splitlines():
        if found := re.fullmatch(r"(\w+)=(.*)", line):
            variables[found[1]] = found[2]
        elif line.strip() and not line.startswith("#"):
            commands.append(line.split(maxsplit=5)[5])
    assert commands
    for command in commands:
        for name, value in variables.items():
            command = command.replace(f"${name}", value)
        program, *words = shlex.split(command)
        assert "b24tools" == Path(program).name
        assert "--env-file" in words
        _check_command_line(words)
