"""Settings: where they come from, what wins, and how a wrong one is told."""

from __future__ import annotations

import errno
from pathlib import Path

import platformdirs
import pytest

from b24tools.core import config, errors

URL = "https://portal.example/rest/1/s3cr3tc0de/"


def load(env: dict[str, str] | None = None, text: str = "") -> config.Settings:
    """The settings of an environment and a .env file in the current folder."""
    Path(".env").write_text(text, encoding="utf-8")
    return config.load(env=env or {})


def problem(env: dict[str, str] | None = None, text: str = "") -> errors.ConfigError:
    """What is said about wrong settings."""
    with pytest.raises(errors.ConfigError) as caught:
        load(env, text)
    return caught.value


def test_every_setting_has_its_default() -> None:
    """What spec and README promise."""
    loaded = load({"B24_DATA_DIR": "/data"})
    assert {
        "webhook_url": None,
        "outgoing_token": None,
        "data_dir": Path("/data"),
        "database_url": None,
        "zone": "Europe/Moscow",
        "lang": "",
        "country": "RU",
        "department": "Производство",
        "group": "Задачи из 1с",
        "folder": "Прикрепленные файлы",
        "schedule_id": 1,
        "fallback_user": None,
        "route": (),
        "round_minutes": 5,
        "norms": "",
        "notify": (),
        "show_sum": True,
        "non_admin": False,
        "serve_token": None,
        "board_token": None,
        "cors_origins": (),
        "ca_bundle": None,
        "requests_per_second": 2.0,
        "burst": 50,
        "retry_seconds": 60.0,
        "parallel": 2,
        "keep_done_days": 90,
        "keep_days": 365,
        "profiles": None,
        "ping_url": None,
        "directory_cache_h": 24.0,
        "people_cache_h": 4.0,
        "profile": "",
    } == {name: getattr(loaded, name) if name != "zone" else str(loaded.zone) for name in config.Settings.model_fields}
    assert (300, Path("/data/b24tools.db")) == (loaded.step_s, loaded.database)


def test_the_environment_wins_over_the_file() -> None:
    """And the file over the default."""
    settings = load({"B24_GROUP": "Из среды"}, "B24_GROUP=Из файла\nB24_FOLDER=Из файла\n")
    assert ("Из среды", "Из файла") == (settings.group, settings.folder)


@pytest.mark.parametrize("empty", ["", "  ", "\t"])
def test_an_empty_value_counts_as_unset(empty: str) -> None:
    """In the environment it does not hide the file's; in the file not the default."""
    assert "Из файла" == load({"B24_GROUP": empty}, "B24_GROUP=Из файла").group
    assert "Задачи из 1с" == load({}, f"B24_GROUP={empty}").group


def test_the_old_names_still_work() -> None:
    """The new one wins in the same place; the environment wins over the file whatever the names."""
    old = load({"BITRIX_WEBHOOK": URL, "TZ_NAME": "Asia/Omsk"})
    assert (URL, "Asia/Omsk") == (config.webhook_url(old), str(old.zone))
    both = {"BITRIX_WEBHOOK": "https://old.example/", "BITRIX_WEBHOOK_URL": URL}
    assert URL == config.webhook_url(load(both))
    assert "Asia/Omsk" == str(load({"TZ_NAME": "Asia/Omsk"}, "B24_TZ=Europe/Samara").zone)
    assert "Asia/Omsk" == str(load({"TZ_NAME": "Asia/Omsk"}, "TZ_NAME=Europe/Samara").zone)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("B24_GROUP=Задачи из 1с", "Задачи из 1с"),
        ('B24_GROUP="Задачи #1"', "Задачи #1"),
        ("B24_GROUP='a $b ${C}'", "a $b ${C}"),
        ("export B24_GROUP=x", "x"),
        ("B24_GROUP=x # a remark", "x"),
        ("B24_GROUP=x  #a remark", "x"),
        ("B24_GROUP=x ## a remark", "x"),
        ("B24_GROUP=Заказы#1С", "Заказы#1С"),
        ("B24_GROUP='Заказы #1С' #a remark", "Заказы #1С"),
        ("B24_TZ=Asia/Omsk #ours\nB24_GROUP=x", "x"),
        ("B24_GROUP='“Лето”'", "“Лето”"),
        ("B24_GROUP=Проект “Лето” и ещё", "Проект “Лето” и ещё"),
        ("B24_GROUP=«Лето»", "«Лето»"),
        ("B24_GROUP=100% из $ и %", "100% из $ и %"),
        ("  B24_GROUP = x  ", "x"),
        ("B24_GROUP=a\r\nB24_FOLDER=b\r", "a"),
        ('B24_GROUP="C:\\b24tools\\new data"', "C:\\b24tools\\new data"),
        ('B24_GROUP="D:\\data\\"', "D:\\data\\"),
        ('B24_GROUP="D:\\data\\" # where it is', "D:\\data\\"),
        ("B24_GROUP='D:\\data\\'", "D:\\data\\"),
        ("B24_GROUP=C:\\new\\", "C:\\new\\"),
        (r"B24_GROUP=\\\\server\\share", r"\\\\server\\share"),
        ("\ufeffB24_GROUP=x", "x"),
        ("B24_GROUP=x\n\ufeffB24_FOLDER=b", "x"),
        ("B24_GROUP='Трубы 3\"'", 'Трубы 3"'),
        ('B24_GROUP=Проект "Лето"', 'Проект "Лето"'),
        ("B24_GROUP=О'Нил", "О'Нил"),
        ("B24_GROUP=a=b:c", "a=b:c"),
        ("B24_GROUP=Сварочныи\u0306 \u00a0 цех", "Сварочный цех"),
        ("B24_GROUP=\U0001f9d1\u200d\U0001f3ed", "\U0001f9d1\u200d\U0001f3ed"),
        ("B24_GROUP=x\nB24_GROUP=", "x"),
        ('OTHER=5" pipe\twith\x1bescape\nB24_GROUP=x', "x"),
    ],
)
def test_the_file_is_read_as_people_write_it(written: str, read: str) -> None:
    """Quotes, remarks, spaces, Windows line ends; dollars are only dollars."""
    assert read == load({}, written).group


EXPANDED = "the value of {} has a variable in it, and variables are not expanded here"
CURLY = "curly quotes and backticks do not enclose a value"
NO_PAIR, NO_END = "this is not NAME=VALUE", "the quotes do not enclose the value"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("set B24_TZ=Asia/Yekaterinburg", NO_PAIR),
        ("SET B24_TZ=Asia/Yekaterinburg", NO_PAIR),
        ("setx B24_TZ Asia/Yekaterinburg", NO_PAIR),
        ("B24_TZ: Asia/Yekaterinburg", NO_PAIR),
        ("B24_TZ:Asia/Yekaterinburg", NO_PAIR),
        ("B24_TZ := Asia/Yekaterinburg", NO_PAIR),
        ("BITRIX_WEBHOOK_URL: https://portal.example/?a=b", NO_PAIR),
        ("B24_TZ", NO_PAIR),
        ("export B24_TZ", NO_PAIR),
        ("B24_TZ Asia/Yekaterinburg", NO_PAIR),
        ("=Asia/Yekaterinburg", NO_PAIR),
        ("[b24tools]", NO_PAIR),
        ('$env:B24_TZ = "Asia/Yekaterinburg"', NO_PAIR),
        ('"B24_TZ"="Asia/Yekaterinburg"', NO_PAIR),
        ("\u0412\u0032\u0034_TZ=Asia/Yekaterinburg", NO_PAIR),
        ("B24_TZ\u200b=Asia/Yekaterinburg", NO_PAIR),
        ("// B24_TZ=Asia/Yekaterinburg", NO_PAIR),
        ('B24_SERVE_TOKEN="abcdef', NO_END),
        ("B24_SERVE_TOKEN='abcdef", NO_END),
        ("B24_SERVE_TOKEN = \"abcdef'", NO_END),
        ('B24_SERVE_TOKEN="abc"def', NO_END),
        ('B24_SERVE_TOKEN="abc" "def"', NO_END),
        ('B24_SERVE_TOKEN="abc\\"def"', NO_END),
        ('B24_SERVE_TOKEN=abcdef"', NO_END),
        ("B24_SERVE_TOKEN=abcdef'", NO_END),
        ('B24_SERVE_TOKEN=abc"def', NO_END),
        ("- B24_TZ=Asia/Omsk", NO_PAIR),
        ('"B24_TZ": "Asia/Omsk",', NO_PAIR),
        ("B24_TZ=Asia/Omsk B24_SERVE_TOKEN=abc", "there are two settings in one line"),
        ("B24_TZ=Asia/Omsk;B24_SERVE_TOKEN=abc", "there are two settings in one line"),
        ("Environment=B24_SERVE_TOKEN=abc", "there are two settings in one line"),
        ('Environment="B24_SERVE_TOKEN=abc"', "there are two settings in one line"),
        ("B24_DATA_DIR=$HOME/abc", EXPANDED.format("B24_DATA_DIR")),
        ('B24_DATA_DIR="${HOME}/abc"', EXPANDED.format("B24_DATA_DIR")),
        ("B24_DATA_DIR='%LOCALAPPDATA%\\abc'", EXPANDED.format("B24_DATA_DIR")),
        ("B24_DATA_DIR=$env:LOCALAPPDATA\\abc", EXPANDED.format("B24_DATA_DIR")),
        ("B24_CA_BUNDLE=$(pwd)/abc.pem", EXPANDED.format("B24_CA_BUNDLE")),
        ("B24_SERVE_TOKEN=$TOKEN", EXPANDED.format("B24_SERVE_TOKEN")),
        ("BITRIX_WEBHOOK_URL=${URL}", EXPANDED.format("BITRIX_WEBHOOK_URL")),
        ("B24_GROUP=%GROUP%", EXPANDED.format("B24_GROUP")),
        ("B24_DATA_DIR=“abc”", CURLY),
        ("B24_SERVE_TOKEN=`abc`", CURLY),
        ("B24_GROUP=„abc“ # ours", CURLY),
        (
            "B24_GROUP=Заказы #1abc",
            "it is not clear whether “#” belongs to the value of B24_GROUP or begins a comment",
        ),
        ("B24_SERVE_TOKEN=abc\u00a0def", "the value of B24_SERVE_TOKEN has an invisible character, U+00A0"),
        (
            "BITRIX_WEBHOOK=https://x/\u00a0abc",
            "the value of BITRIX_WEBHOOK has an invisible character, U+00A0",
        ),
        ("B24_SERVE_TOKEN=abc\x1bdef", "the value of B24_SERVE_TOKEN has an invisible character, U+001B"),
        ("B24_SERVE_TOKEN=abc\u200bdef", "the value of B24_SERVE_TOKEN has an invisible character, U+200B"),
        ("B24_GROUP=a\u2028b", "the value of B24_GROUP has an invisible character, U+2028"),
        ("B24_GROUP=a\x85b", "the value of B24_GROUP has an invisible character, U+0085"),
        ("B24_GROUP=a\tb", "the value of B24_GROUP has an invisible character, U+0009"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_and_hides_no_other(line: str, reason: str) -> None:
    """With file and line, never with the value. An open quote does not swallow what stands below."""
    Path(".env").write_text(f'# ours\n\n{line}\nB24_FOLDER="Файлы"\nB24_PARALLEL=many\n', encoding="utf-8")
    inspection = config.inspect({})

    assert [f"{Path('.env').absolute()}, line 3: {reason}", "B24_PARALLEL"] == [
        inspection.problems[0][1].message,
        inspection.problems[1][0],
    ]
    assert "Файлы" == inspection.settings.folder
    with pytest.raises(errors.ConfigError, match="line 3") as caught:
        config.load({})
    assert "abc" not in caught.value.line


def test_an_invisible_character_in_the_environment_is_refused() -> None:
    """A line break in a token that came out of a file of secrets; one at the end is no part of it."""
    secret = load({"B24_SERVE_TOKEN": "abc\n"}).serve_token
    assert secret and "abc" == secret.get_secret_value()
    message = "the environment: the value of B24_SERVE_TOKEN has an invisible character, U+000A"
    assert message == problem({"B24_SERVE_TOKEN": "abc\ndef"}).message


@pytest.mark.parametrize("route", ["Макетчик, Сварщик", "Макетчик;Сварщик", " Макетчик ;; Сварщик,"])
def test_a_route_is_separated_by_commas_or_semicolons(route: str) -> None:
    """As lists are written in Russian."""
    assert ("Макетчик", "Сварщик") == load({}, f"B24_ROUTE={route}").route


def test_what_has_no_effect_is_said() -> None:
    """A misspelt name; a setting that stands there twice. Not that of other programs, and never a value."""
    Path(".env").write_text("B24_TOKEN_SERVE=abc\nOTHER=1\nOTHER=2\nB24_TZ=Asia/Omsk\nB24_TZ=Asia/Omsk\n", "utf-8")
    here = Path(".env").absolute()
    assert [
        f"{here}: there is no setting B24_TOKEN_SERVE; it has no effect. Is B24_SERVE_TOKEN meant?",
        "the environment: there is no setting B24_QUIET_HOURS; it has no effect",
    ] == config.inspect({"B24_QUIET_HOURS": "abc"}).warnings()
    Path(".env").write_text("B24_TZ=Asia/Omsk\n\nB24_TZ=Europe/Samara\n", "utf-8")
    assert [f"{here}, lines 1 and 3: B24_TZ is set twice; the last one counts"] == config.inspect({}).warnings()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("B24_SERVETOKEN", "B24_SERVE_TOKEN"),
        ("b24_servetoken", "B24_SERVE_TOKEN"),
        ("B24_TOKEN_SERVE", "B24_SERVE_TOKEN"),
        ("B24_FALBACK_USER", "B24_FALLBACK_USER"),
        ("B24_REQUESTS_PER_SEC", "B24_REQUESTS_PER_SECOND"),
        ("B24_RETRY", "B24_RETRY_SECONDS"),
        ("B24_WEBHOOK_URL", "BITRIX_WEBHOOK_URL"),
        ("B24_DONE_DAYS", None),
        ("B24_USERS", None),
        ("B24_", None),
    ],
)
def test_a_misspelt_setting_is_compared_by_what_is_its_own(name: str, nearest: str | None) -> None:
    """Not by the beginning that all have; what lacks a word, or has another, is another name."""
    assert [nearest] == [unknown.nearest for unknown in config.inspect({name: "1"}).unknown]


def test_two_spellings_with_two_values_are_said() -> None:
    """The new one counts; nothing is said of equal values, nor of the environment, which wins over the file."""
    here = Path(".env").absolute()
    Path(".env").write_text(f"BITRIX_WEBHOOK={URL}\nBITRIX_WEBHOOK_URL={URL}x\nTZ_NAME=Asia/Omsk\n", "utf-8")
    inspection = config.inspect({"B24_TZ": "Europe/Samara"})
    text = (
        "BITRIX_WEBHOOK and BITRIX_WEBHOOK_URL are one setting and have two values; that of BITRIX_WEBHOOK_URL counts"
    )
    assert ([f"{here}: {text}"], "Europe/Samara") == (inspection.warnings(), str(inspection.settings.zone))
    Path(".env").write_text("TZ_NAME=Asia/Omsk\nB24_TZ=Asia/Omsk\n", "utf-8")
    assert [] == config.inspect({}).warnings()


@pytest.mark.parametrize("name", ["B24_DATA_DIR", "B24_CA_BUNDLE", "B24_PROFILES"])
def test_the_home_folder_of_nobody_is_a_setting_that_is_wrong(name: str) -> None:
    """Misspelt, or of another machine; it ends no command as a fault of ours, and doctor goes on."""
    said = f"the value of {name} begins with ~nobody-here, and there is no such home folder"
    assert f"the environment: {said}" == problem({name: "~nobody-here/data"}).message
    assert f"{Path('.env').absolute()}, line 1: {said}" == problem({}, f"{name}=~nobody-here/data").message
    Path(".env").unlink()
    (name_of_it, _error), *others = config.inspect({name: "~nobody-here/data"}).problems
    assert (name, []) == (name_of_it, others)
    assert Path.home() / "data" == load({"B24_DATA_DIR": "~/data"}).data_dir
    with pytest.raises(errors.ConfigError, match="~nobody-here/in: there is no such home folder"):
        config.absolute(Path("~nobody-here/in"))


@pytest.mark.parametrize("found", ["~nobody-here/.local/share/b24tools", None])
def test_who_has_no_home_must_set_the_data_folder(found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the user of a container, whom the system does not know."""

    def look(*_names: str, **_options: object) -> str:
        if found is None:
            raise RuntimeError("could not determine the home directory")
        return found

    monkeypatch.setattr(platformdirs, "user_data_dir", look)
    assert "B24_DATA_DIR is not set, and this user has no home folder" == problem().message
    assert Path("/data") == load({"B24_DATA_DIR": "/data"}).data_dir


def test_a_variable_in_the_environment_makes_no_folder_of_its_name() -> None:
    """As systemd passes it on."""
    message = "the environment: the value of B24_DATA_DIR has a variable in it, and variables are not expanded here"
    assert message == problem({"B24_DATA_DIR": "$HOME/b24tools"}).message
    assert "ru" == load({"B24_LANG": "ru_RU.UTF-8"}).lang


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp866"])
def test_a_file_that_is_not_utf8_is_refused(encoding: str) -> None:
    """Notepad's Unicode, with or without a mark, too."""
    Path(".env").write_bytes("B24_TZ=Asia/Omsk\nB24_GROUP=Цех\n".encode(encoding))
    with pytest.raises(errors.ConfigError, match="is not UTF-8 text"):
        config.load({})


def test_the_file_is_looked_for_from_here_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git does it; --env-file takes its place."""
    (tmp_path / ".env").write_text("B24_GROUP=above", encoding="utf-8")
    (tmp_path / "other.env").write_text("B24_GROUP=chosen", encoding="utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert ["above", "chosen"] == [config.load(env={}, env_file=file).group for file in (None, tmp_path / "other.env")]


@pytest.mark.parametrize("kind", ["folder", "lost link", "unreadable"])
def test_what_is_in_the_place_of_the_file_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Else a second database would be made; no option was given, and none is to be left out. A venv is none of ours."""
    (below := tmp_path / "a").mkdir()
    path = tmp_path / ".env"
    if kind == "folder":
        path.mkdir()
        (below / ".env").mkdir()
        (below / ".env" / "pyvenv.cfg").touch()
    elif kind == "lost link":
        path.symlink_to("nowhere")
    else:
        path.touch()
        monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.chdir(below)

    found = config.inspect(env={})

    reason = {"folder": "Is a directory", "lost link": "No such file or directory", "unreadable": "Permission denied"}
    (error,) = [error for _name, error in found.problems]
    assert (True, f"{path} cannot be read: {reason[kind]}") == (found.is_unread, error.message)
    assert "It must be a file that this user may read; --env-file names another one." == error.hint


def refuse(_path: Path) -> bytes:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    """Notepad writes one."""
    Path(".env").write_text("B24_GROUP=x", encoding="utf-8-sig")
    assert "x" == config.load(env={}).group


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("B24_TZ", "Moscow", "not a time zone; an example: Europe/Moscow"),
        ("B24_TZ", "Europe", "not a time zone; an example: Europe/Moscow"),
        ("B24_TZ", "../etc/passwd", "not a time zone; an example: Europe/Moscow"),
        ("B24_LANG", "de", "expected one of ru, en"),
        ("B24_LANG", "rubbish", "expected one of ru, en"),
        ("B24_COUNTRY", "DE", "expected one of RU, BY, KZ, UZ, none"),
        ("B24_CORS_ORIGINS", "*, foo", '"foo" is no web origin: write it as https://HOST'),
        ("B24_CORS_ORIGINS", "https://a.b/c", '"https://a.b/c" is no web origin: write it as https://HOST'),
        ("B24_NORMS", "wrong", "expected learned, or empty"),
        ("B24_ROUND_MINUTES", "0", "expected 1 or more"),
        ("B24_ROUND_MINUTES", "1441", "expected 1440 or less"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(name: str, value: str, reason: str) -> None:
    """Which setting, from where, what was expected; the value itself might be a secret."""
    assert f"{name} (from the environment): {reason}" == problem({name: value}).message
    assert f"{name} (from {Path('.env').absolute()}): {reason}" == problem({}, f"{name}={value}").message


@pytest.mark.parametrize(("value", "country"), [("ru", "RU"), (" by ", "BY"), ("None", "none")])
def test_a_country_is_known_in_any_case(value: str, country: str) -> None:
    """As people write it."""
    assert country == config.load(env={"B24_COUNTRY": value}).country


@pytest.mark.parametrize("name", ["B24_SCHEDULE_ID", "B24_FALLBACK_USER", "B24_BURST", "B24_SHOW_SUM"])
def test_words_are_no_numbers(name: str) -> None:
    """Named as the others."""
    assert problem({name: "many"}).message.startswith(f"{name} (from the environment): ")


def test_a_missing_webhook_is_told_with_the_mend() -> None:
    """Where to get one and where to put it."""
    with pytest.raises(errors.ConfigError) as caught:
        config.webhook_url(load())
    assert ("BITRIX_WEBHOOK_URL is not set", True, 2) == (
        caught.value.message,
        "b24tools init" in caught.value.hint,
        caught.value.exit_status,
    )


def test_secrets_do_not_show() -> None:
    """Not in the text of the settings, whoever prints them."""
    names = ("BITRIX_WEBHOOK_URL", "BITRIX_OUTGOING_TOKEN", "B24_SERVE_TOKEN", "B24_BOARD_TOKEN")
    settings = load(dict.fromkeys(names, URL))
    assert "s3cr3tc0de" not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize(
    ("env", "text", "language"),
    [
        ({"B24_LANG": "ru"}, "", "ru"),
        ({"B24_LANG": ""}, "B24_LANG=ru", "ru"),
        ({"B24_LANG": "en", "LC_ALL": "ru_RU.UTF-8"}, "B24_LANG=ru", "en"),
        ({"LC_ALL": "ru_RU.UTF-8", "LANG": "en_US.UTF-8"}, "", "ru"),
        ({"LANG": "C"}, "", "en"),
        ({"LANG": "Russian_Russia.1251"}, "", "ru"),
    ],
)
def test_the_language_is_the_settings_or_the_locales(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], text: str, language: str
) -> None:
    """B24_LANG from environment or file, then the locale."""
    for name in ("B24_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    Path(".env").write_text(text, encoding="utf-8")
    assert language == config.choose_language()


def test_a_path_in_a_file_is_meant_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever cron or a terminal stands, it is one data folder; from the environment it is the current folder's."""
    below = tmp_path / "here" / "below"
    below.mkdir(parents=True)
    (tmp_path / "here" / ".env").write_text("B24_DATA_DIR=playground\nB24_CA_BUNDLE=ca.pem\n", encoding="utf-8")
    monkeypatch.chdir(below)
    settings = config.load({})
    assert (tmp_path / "here" / "playground", tmp_path / "here" / "ca.pem") == (settings.data_dir, settings.ca_bundle)
    assert below / "other" == config.load({"B24_DATA_DIR": "other"}).data_dir
