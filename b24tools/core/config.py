"""Settings: the only reader of the environment and of .env."""

from __future__ import annotations

import io
import locale
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import dotenv
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from b24tools.core import errors
from b24tools.core.i18n import _, os_reason

OLD_NAMES = {"BITRIX_WEBHOOK": "BITRIX_WEBHOOK_URL", "TZ_NAME": "B24_TZ"}
OUR_PREFIXES = ("B24_", "BITRIX_")
ALIKE = 0.8  # from here on another name in .env is taken for one of ours misspelt


def _zone(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return ZoneInfo(value)
        except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
            raise ValueError(_("not a time zone; an example: Europe/Moscow")) from None
    return value


def _words(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def _country(value: Any) -> Any:
    if isinstance(value, str):
        return "none" if value.strip().lower() == "none" else value.strip().upper()
    return value


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Country = Annotated[str, BeforeValidator(_country)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Settings(BaseModel):
    """Every setting under its environment name; `.env-example` and the README describe them."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    webhook_url: SecretStr | None = Field(None, alias="BITRIX_WEBHOOK_URL")
    outgoing_token: SecretStr | None = Field(None, alias="BITRIX_OUTGOING_TOKEN")
    data_dir: Path = Field(alias="B24_DATA_DIR")
    zone: Zone = Field(ZoneInfo("Europe/Moscow"), alias="B24_TZ")
    lang: str = Field("", alias="B24_LANG")
    country: Country = Field("RU", alias="B24_COUNTRY", pattern="^(RU|BY|KZ|UZ|none)$")
    department: str = Field("Производство", alias="B24_DEPARTMENT")
    group: str = Field("Задачи из 1с", alias="B24_GROUP")
    folder: str = Field("Прикрепленные файлы", alias="B24_FOLDER")
    schedule_id: int = Field(1, alias="B24_SCHEDULE_ID", gt=0)
    fallback_user: int | None = Field(None, alias="B24_FALLBACK_USER", gt=0)
    route: Words = Field((), alias="B24_ROUTE")
    round_minutes: int = Field(5, alias="B24_ROUND_MINUTES", ge=1, le=1440)
    show_sum: bool = Field(True, alias="B24_SHOW_SUM")
    non_admin: bool = Field(False, alias="B24_NON_ADMIN")
    serve_token: SecretStr | None = Field(None, alias="B24_SERVE_TOKEN")
    board_token: SecretStr | None = Field(None, alias="B24_BOARD_TOKEN")
    cors_origins: Words = Field((), alias="B24_CORS_ORIGINS")
    ca_bundle: Path | None = Field(None, alias="B24_CA_BUNDLE")
    requests_per_second: float = Field(2.0, alias="B24_REQUESTS_PER_SECOND", gt=0, le=1000)
    burst: int = Field(50, alias="B24_BURST", ge=1, le=10_000)
    retry_seconds: float = Field(60.0, alias="B24_RETRY_SECONDS", ge=0, le=86_400)
    parallel: int = Field(2, alias="B24_PARALLEL", ge=1, le=10)
    directory_cache_h: float = Field(24.0, alias="B24_DIRECTORY_CACHE_H", ge=0)
    people_cache_h: float = Field(4.0, alias="B24_PEOPLE_CACHE_H", ge=0)

    @property
    def step_s(self) -> int:
        """The rounding step in seconds."""
        return self.round_minutes * 60

    @property
    def database(self) -> Path:
        """Where the SQLite file lives."""
        return self.data_dir / "b24tools.db"


def names() -> list[str]:
    """The environment names of all settings, in the order they are documented."""
    return [str(field.alias) for field in Settings.model_fields.values()]


def load(env: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """The settings from the environment, then from .env (`env_file`, or looked for upwards from here).

    An empty value counts as unset. Raises ConfigError naming the setting, where it was set and
    what was expected, never the value of a secret.
    """
    file, in_file = _read_env_file(env_file)
    known, where = _merge(os.environ if env is None else env, file, in_file)
    try:
        return Settings.model_validate(known)
    except ValidationError as error:
        raise _problems(error, where)[0][1] from None


@dataclass(frozen=True)
class Unknown:
    """A name that looks like a setting and is none: where it stands, and which one it may have been meant to be."""

    name: str
    where: str
    nearest: str | None


@dataclass(frozen=True)
class Inspection:
    """All that can be said of the settings. What is wrong among them has its default in `settings`.

    `given`: the names that have a value. `problems`: by the name of what does not fit, "" for an unreadable file.
    """

    settings: Settings
    file: Path | None
    given: frozenset[str]
    unknown: tuple[Unknown, ...]
    problems: tuple[tuple[str, errors.ConfigError], ...]


def inspect(env: Mapping[str, str] | None = None, env_file: Path | None = None) -> Inspection:
    """The settings as `load` reads them, but for whoever wants to know all that is wrong with them. Never raises."""
    here = os.environ if env is None else env
    problems: list[tuple[str, errors.ConfigError]] = []
    in_file: dict[str, str] = {}
    try:
        file, in_file = _read_env_file(env_file)
    except errors.ConfigError as error:
        file = None
        problems.append(("", error))
    known, where = _merge(here, file, in_file)
    given = frozenset(where) & frozenset(names())
    try:
        settings = Settings.model_validate(known)
    except ValidationError as error:
        problems += _problems(error, where)
        wrong = {name for name, _error in problems}
        settings = Settings.model_validate({name: value for name, value in known.items() if name not in wrong})
    unknown = (*_unknown(in_file, str(file), alike=True), *_unknown(here, _("the environment"), alike=False))
    return Inspection(settings, file, given, unknown, tuple(problems))


def _unknown(given: Mapping[str, str], where: str, *, alike: bool) -> Iterator[Unknown]:
    """Names that only look like ours. `alike`: those without our prefix, too, if they are close enough."""
    import difflib

    ours = [*names(), *OLD_NAMES]
    for name, value in given.items():
        if name in ours or not value.strip():
            continue
        close = difflib.get_close_matches(name.upper(), ours, n=1, cutoff=0.6)
        close_enough = difflib.get_close_matches(name.upper(), ours, n=1, cutoff=ALIKE)
        if name.upper().startswith(OUR_PREFIXES) or (alike and close_enough):
            yield Unknown(name, where, close[0] if close else None)


def _merge(
    env: Mapping[str, str], file: Path | None, in_file: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The values of the known names, and where each name was set."""
    values = _with_new_names(in_file)
    where = dict.fromkeys(values, str(file))
    set_here = {name: value for name, value in env.items() if value.strip()}
    for name, value in _with_new_names(set_here).items():
        values[name] = value
        where[name] = _("the environment")
    known = {name: values[name].strip() for name in names() if name in values}
    if "B24_DATA_DIR" not in known:
        import platformdirs

        known["B24_DATA_DIR"] = platformdirs.user_data_dir("b24tools", appauthor=False)
    for name in ("B24_DATA_DIR", "B24_CA_BUNDLE"):
        if name in known:
            # a path in a file is meant from there, wherever cron or a terminal stands
            base = file.absolute().parent if file and where.get(name) == str(file) else Path.cwd()
            known[name] = str(base / Path(known[name]).expanduser())
    return known, where


def _problems(error: ValidationError, where: Mapping[str, str]) -> list[tuple[str, errors.ConfigError]]:
    """What does not fit: the setting's name, and the error about it."""
    found = []
    for one in error.errors(include_url=False, include_input=False):
        name = str(one["loc"][0])
        reason = _expected(one["type"], one.get("ctx", {}), one["msg"])
        told = _("{name} (from {where}): {reason}").format(name=name, where=where.get(name, "?"), reason=reason)
        found.append((name, errors.ConfigError(told, _("Correct it there; .env-example describes every setting."))))
    return found


def _with_new_names(values: Mapping[str, str]) -> dict[str, str]:
    """The values with those under an old name under the new one as well, if that has none."""
    return {**{new: values[old] for old, new in OLD_NAMES.items() if old in values}, **values}


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    """What a setting should have been; pydantic itself says it in English only."""
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return _("expected one of {values}").format(values=str(context["pattern"]).strip("^()$").replace("|", ", "))
    limits = {
        "greater_than": _("expected more than {limit}").format(limit=context.get("gt")),
        "greater_than_equal": _("expected {limit} or more").format(limit=context.get("ge")),
        "less_than_equal": _("expected {limit} or less").format(limit=context.get("le")),
        "int_parsing": _("expected a whole number"),
        "float_parsing": _("expected a number"),
        "bool_parsing": _("expected 1 or 0"),
    }
    return limits.get(kind, message)


def webhook_url(settings: Settings) -> str:
    """The incoming webhook's URL. Raises ConfigError when it is not set."""
    if settings.webhook_url is None:
        raise errors.ConfigError(
            _("BITRIX_WEBHOOK_URL is not set"),
            _(
                "Copy .env-example to .env and put the URL of an incoming webhook there "
                "(Bitrix24: Developer resources - Other - Incoming webhook), or try `b24tools demo`."
            ),
        )
    return settings.webhook_url.get_secret_value()


def language(arguments: Sequence[str] = ()) -> str:
    """The language to speak, "ru" or "en": B24_LANG (environment, then .env), else the locale."""
    chosen = os.environ.get("B24_LANG", "").strip()
    if not chosen:
        try:
            _file, values = _read_env_file(_env_file_argument(arguments))
        except errors.ConfigError:
            values = {}  # load() will complain about the file, in the locale's language
        chosen = values.get("B24_LANG", "").strip()
    if not chosen:
        chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not chosen:
        chosen = locale.getlocale()[0] or ""
    return "ru" if chosen.lower().startswith(("ru", "russian")) else "en"


def _env_file_argument(arguments: Sequence[str]) -> Path | None:
    for index, argument in enumerate(arguments):
        if argument == "--env-file" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
        if argument.startswith("--env-file="):
            return Path(argument.partition("=")[2])
    return None


def _read_env_file(chosen: Path | None) -> tuple[Path | None, dict[str, str]]:
    """The file and its non-empty values. A chosen file must exist; a found one need not."""
    if chosen is None:
        found = dotenv.find_dotenv(usecwd=True)
        if not found:
            return None, {}
        chosen = Path(found)
    try:
        # utf-8-sig: Windows editors put a BOM before the first name
        text = chosen.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise errors.ConfigError(
            _("{path} is not UTF-8 text").format(path=chosen), _("Save it again in the encoding UTF-8.")
        ) from None
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be read: {reason}").format(path=chosen, reason=os_reason(error)),
            _("Name an existing file with --env-file, or leave the option out."),
        ) from None
    values = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)
    return chosen, {name: value for name, value in values.items() if value and value.strip()}
