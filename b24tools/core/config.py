"""Settings: the only reader of the environment and of .env."""

from __future__ import annotations

import locale
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from b24tools.core import database_url, errors, secrets
from b24tools.core.database_url import DatabaseUrl, Location
from b24tools.core.env_file import OLD_NAMES, OUR_PREFIXES, PATHS, check_value, read_file, read_value
from b24tools.core.i18n import _
from b24tools.core.validation import describe_expected

OF_ONE_PORTAL = re.compile("BITRIX_.*|B24_DATA_DIR|B24_DATABASE_URL")  # what a profile takes from its file alone
PEOPLE, MANAGERS = "people", "managers"  # who gets messages, besides chats
CHAT = re.compile(r"(chat|sg)[1-9]\d{0,14}")  # a chat, or that of a project
NEAR = 0.81  # how like one of ours a name must be to be taken for it misspelt


def _zone(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return ZoneInfo(value)
        except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
            raise ValueError(_("not a time zone; an example: Europe/Moscow")) from None
    return value


def _words(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(word.strip() for word in re.split("[,;]", value) if word.strip())
    return value


def _name(value: Any) -> Any:
    """The portal compares the names in a question byte by byte: composed letters, single ordinary spaces."""
    return " ".join(unicodedata.normalize("NFC", value).split()) if isinstance(value, str) else value


def _language(value: Any) -> Any:
    known = re.fullmatch(r"(ru|en)(?:ssian|glish)?(?:[_.-].*)?", value.lower()) if isinstance(value, str) else None
    return known[1] if known else value


def _country(value: Any) -> Any:
    if isinstance(value, str):
        return "none" if value.strip().lower() == "none" else value.strip().upper()
    return value


def _web_address(value: Any) -> Any:
    if isinstance(value, str) and not re.match(r"https?://[^/?#\s]+", value):
        raise ValueError(_("not an address: it should begin with https://"))
    return value


def _origins(value: Any) -> Any:
    words = _words(value)
    for word in words if isinstance(value, str) else ():
        if word != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s]+/?", word, re.IGNORECASE):
            raise ValueError(_('"{word}" is no web origin: write it as https://HOST').format(word=word))
    return words


def _targets(value: Any) -> Any:
    """Read who gets messages: in lower case, each once."""
    if not isinstance(value, str):
        return value
    words = tuple(dict.fromkeys(word.lower() for word in _words(value)))
    for word in words:
        if word not in (PEOPLE, MANAGERS) and not CHAT.fullmatch(word):
            raise ValueError(
                _('"{word}" is none of {people}, {managers}, or a chat such as chat42').format(
                    word=word, people=PEOPLE, managers=MANAGERS
                )
            )
    return words


def _database_url(value: Any) -> Any:
    if isinstance(value, str):
        database_url.read(value, Path())
    return value


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Language = Annotated[str, BeforeValidator(_language)]
Country = Annotated[str, BeforeValidator(_country)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_origins)]
Name = Annotated[str, BeforeValidator(_name)]
WebAddress = Annotated[SecretStr, BeforeValidator(_web_address)]
PostgresUrl = Annotated[SecretStr, BeforeValidator(_database_url)]
Targets = Annotated[tuple[str, ...], BeforeValidator(_targets)]


class Settings(BaseModel):
    """Every setting under its environment name; `.env-example` and the README describe them."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    webhook_url: SecretStr | None = Field(None, alias="BITRIX_WEBHOOK_URL")
    outgoing_token: SecretStr | None = Field(None, alias="BITRIX_OUTGOING_TOKEN")
    data_dir: Path = Field(alias="B24_DATA_DIR")
    database_url: PostgresUrl | None = Field(None, alias="B24_DATABASE_URL")
    zone: Zone = Field(ZoneInfo("Europe/Moscow"), alias="B24_TZ")
    lang: Language = Field("", alias="B24_LANG", pattern="^(ru|en)$")
    country: Country = Field("RU", alias="B24_COUNTRY", pattern="^(RU|BY|KZ|UZ|none)$")
    department: Name = Field("Производство", alias="B24_DEPARTMENT")
    group: Name = Field("Задачи из 1с", alias="B24_GROUP")
    folder: Name = Field("Прикрепленные файлы", alias="B24_FOLDER")
    schedule_id: int = Field(1, alias="B24_SCHEDULE_ID", gt=0)
    fallback_user: int | None = Field(None, alias="B24_FALLBACK_USER", gt=0)
    route: Words = Field((), alias="B24_ROUTE")
    round_minutes: int = Field(5, alias="B24_ROUND_MINUTES", ge=1, le=1440)
    norms: str = Field("", alias="B24_NORMS", pattern="^(learned)$")
    notify: Targets = Field((), alias="B24_NOTIFY")
    show_sum: bool = Field(True, alias="B24_SHOW_SUM")
    non_admin: bool = Field(False, alias="B24_NON_ADMIN")
    serve_token: SecretStr | None = Field(None, alias="B24_SERVE_TOKEN")
    board_token: SecretStr | None = Field(None, alias="B24_BOARD_TOKEN")
    cors_origins: Origins = Field((), alias="B24_CORS_ORIGINS")
    ca_bundle: Path | None = Field(None, alias="B24_CA_BUNDLE")
    requests_per_second: float = Field(2.0, alias="B24_REQUESTS_PER_SECOND", gt=0, le=1000)
    burst: int = Field(50, alias="B24_BURST", ge=1, le=10_000)
    retry_seconds: float = Field(60.0, alias="B24_RETRY_SECONDS", ge=0, le=86_400)
    parallel: int = Field(2, alias="B24_PARALLEL", ge=1, le=10)
    keep_days: int = Field(365, alias="B24_KEEP_DAYS", ge=30, le=36_500)
    keep_done_days: int = Field(90, alias="B24_KEEP_DONE_DAYS", ge=1, le=36_500)
    profiles: Path | None = Field(None, alias="B24_PROFILES")
    ping_url: WebAddress | None = Field(None, alias="B24_PING_URL")
    directory_cache_h: float = Field(24.0, alias="B24_DIRECTORY_CACHE_H", ge=0)
    people_cache_h: float = Field(4.0, alias="B24_PEOPLE_CACHE_H", ge=0)
    profile: str = ""  # whose file was read; no setting

    @property
    def step_s(self) -> int:
        """The rounding step in seconds."""
        return self.round_minutes * 60

    @property
    def notify_chats(self) -> tuple[str, ...]:
        """The chats that get the digest."""
        return tuple(word for word in self.notify if CHAT.fullmatch(word))

    @property
    def database(self) -> Location:
        """Where the SQLite file lives, or the schema on a server."""
        if self.database_url is not None:
            return database_url.read(self.database_url.get_secret_value(), self.data_dir, self.profile)
        return self.database_file

    @property
    def database_file(self) -> Path:
        """Where the SQLite file lives, or lived before a server had the data."""
        return self.data_dir / "b24tools.db"

    @property
    def database_place(self) -> Location:
        """Where people look for the data: the folder of the file, or the schema on a server."""
        return self.database if isinstance(self.database, DatabaseUrl) else self.data_dir

    @cached_property
    def own_secrets(self) -> frozenset[str]:
        """The secrets of these settings."""
        own = {
            value.get_secret_value()
            for name, value in self
            if isinstance(value, SecretStr) and name != "database_url"  # errors name it, without its passwords
        }
        if self.outgoing_token is not None:
            own |= {word.strip() for word in self.outgoing_token.get_secret_value().split(",")}
        if self.webhook_url is not None:
            own |= set(secrets.of_webhook(self.webhook_url.get_secret_value()))
        if isinstance(self.database, DatabaseUrl):
            own |= self.database.passwords
        if self.ping_url is not None:
            own |= set(secrets.of_ping(self.ping_url.get_secret_value()))
        return frozenset(own)

    @cached_property
    def scrubber(self) -> secrets.Scrubber:
        """What takes these settings' secrets out of a text."""
        return secrets.Scrubber(self.own_secrets)

    @cached_property
    def order_scrubber(self) -> secrets.Scrubber:
        """What takes them out of an order, where a short one may stand by chance."""
        return secrets.Scrubber(word for word in self.own_secrets if len(word) >= secrets.LEAST_IN_ORDERS)


def names() -> list[str]:
    """Return the environment names of all settings, in the order they are documented."""
    return [field.alias for field in Settings.model_fields.values() if field.alias]


def load(env: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings from the environment, then from .env (`env_file`, or looked for from here upwards).

    An empty value counts as unset. Raise ConfigError naming the setting, where it was set and what was expected,
    never the value: it may be a secret.
    """
    return inspect(env, env_file).check()


@dataclass(frozen=True)
class Unknown:
    """A name that looks like a setting, where it stands, and the nearest setting."""

    name: str
    where: str
    nearest: str | None


@dataclass(frozen=True)
class Inspection:
    """The settings and all that is wrong with them. A wrong one has its default in `settings`.

    `given`: the names that have a value. `problems`: by the name of what does not fit, "" for what cannot be read of
    the file. `repeated`: what is to be said of settings that have two values. `is_unread`: the file may set anything.
    """

    settings: Settings
    file: Path | None
    given: frozenset[str]
    unknown: tuple[Unknown, ...]
    problems: tuple[tuple[str, errors.ConfigError], ...]
    repeated: tuple[str, ...] = ()
    is_unread: bool = False

    def check(self) -> Settings:
        """Return the settings. Raise the first problem."""
        for _name, problem in self.problems:
            raise problem
        return self.settings

    def warnings(self) -> list[str]:
        """Say of each name that is no setting, and of each setting that stands there twice, what is wrong."""
        texts = []
        for unknown in self.unknown:
            text = _("{where}: there is no setting {name}; it has no effect")
            if unknown.nearest:
                text = _("{where}: there is no setting {name}; it has no effect. Is {nearest} meant?")
            texts.append(text.format(where=unknown.where, name=unknown.name, nearest=unknown.nearest))
        return [*texts, *self.repeated]


def inspect(env: Mapping[str, str] | None = None, env_file: Path | None = None, profile: str = "") -> Inspection:
    """Read the settings as `load` does, but collect what is wrong instead of raising it.

    `profile`: the file is that of one portal of many. It wins over the environment, which has no say in what
    `OF_ONE_PORTAL` names, and the data folder is by default one of the profile's own.
    """
    env = os.environ if env is None else env
    if profile:
        env = {name: value for name, value in env.items() if not OF_ONE_PORTAL.fullmatch(name)}
    content = read_file(env_file)
    file, in_file = content.path, content.values
    problems = [("", problem) for problem in content.problems]
    odd = []
    for name in (*names(), *OLD_NAMES):
        try:
            check_value(_("the environment"), name, env.get(name, "").strip())
        except errors.ConfigError as error:
            odd.append((name, error))
    problems += odd
    fitting = {name: value for name, value in env.items() if name not in dict(odd)}
    values, where = _merge(fitting, file, in_file, profile)
    repeated = [
        *content.repeated,
        *_find_two_spellings(in_file, str(file)),
        *_find_two_spellings(env, _("the environment")),
    ]
    given = frozenset(where)
    try:
        settings = Settings.model_validate(values | {"profile": profile})
    except ValidationError as error:
        problems += _describe(error, where)
        wrong = {name for name, _problem in problems}
        right = {name: value for name, value in values.items() if name not in wrong}
        settings = Settings.model_validate(right | {"profile": profile})
    unknown = (*_find_unknown(in_file, str(file), alike=True), *_find_unknown(env, _("the environment"), alike=False))
    return Inspection(settings, file, given, unknown, tuple(problems), tuple(repeated), content.is_unread)


def _merge(
    env: Mapping[str, str], file: Path | None, in_file: Mapping[str, str], profile: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values of the settings, and where each of them was set; the environment wins, but for a profile."""
    values: dict[str, str] = {}
    where: dict[str, str] = {}
    places = [(str(file), in_file), (_("the environment"), env)]
    for place, given in reversed(places) if profile else places:
        for name in (*OLD_NAMES, *names()):  # in one place the new name wins over the old one
            if value := given.get(name, "").strip():
                name = OLD_NAMES.get(name, name)
                values[name], where[name] = value, place
    if "B24_DATA_DIR" not in values:
        values["B24_DATA_DIR"] = _find_data_folder(profile)
    for name in PATHS:
        if name in values:
            # a path in a file is meant from there, wherever cron or a terminal stands
            base = file.absolute().parent if file and where.get(name) == str(file) else Path()
            values[name] = absolute(base / Path(values[name]).expanduser())
    return values, where


def _find_data_folder(profile: str) -> str:
    """Return the user's own data folder. Raise ConfigError for one without a home, as in a container."""
    import platformdirs

    try:
        own = platformdirs.user_data_dir(f"b24tools-{profile}" if profile else "b24tools", appauthor=False)
        return str(Path(own).expanduser())  # of older versions it begins with ~ then
    except RuntimeError:
        raise errors.ConfigError(
            _("B24_DATA_DIR is not set, and this user has no home folder"), _("Set it to the path of a folder.")
        ) from None


def _find_two_spellings(given: Mapping[str, str], where: str) -> Iterator[str]:
    for old, new in OLD_NAMES.items():
        values = {value for name in (old, new) if (value := given.get(name, "").strip())}
        if len(values) > 1:
            text = _("{where}: {old} and {new} are one setting and have two values; that of {new} counts")
            yield text.format(where=where, old=old, new=new)


def _find_unknown(given: Mapping[str, str], where: str, *, alike: bool) -> Iterator[Unknown]:
    """Find names that only look like ours. `alike`: also those without our prefix that are close enough."""
    ours = [*names(), *OLD_NAMES]
    for name, value in given.items():
        prefixed = name.upper().startswith(OUR_PREFIXES)
        if name in ours or not value.strip() or not (prefixed or alike):
            continue
        nearest = max(ours, key=partial(_compare_names, name.upper()))
        is_near = _compare_names(name.upper(), nearest) >= NEAR
        if prefixed or is_near:
            yield Unknown(name, where, nearest if is_near else None)


def _compare_names(name: str, known: str) -> float:
    """Return how like two names are, 0 to 1; one without our prefix is compared whole.

    The sequence of the words does not matter, and the last ones may be left out: what lacks one between is another.
    """
    from difflib import SequenceMatcher

    if not name.startswith(OUR_PREFIXES):
        return SequenceMatcher(None, name, known).ratio()
    words, other = (re.sub("^(B24|BITRIX)_", "", text).split("_") for text in (name, known))
    short, long = "".join(words), "".join(other)
    is_start = len(short) > 2 and long.startswith(short)
    sorted_ratio = SequenceMatcher(None, "".join(sorted(words)), "".join(sorted(other))).ratio()
    return max(SequenceMatcher(None, short, long).ratio(), sorted_ratio, float(is_start))


def _describe(error: ValidationError, where: Mapping[str, str]) -> Iterator[tuple[str, errors.ConfigError]]:
    """Say what does not fit: the setting's name, and the error about it."""
    for problem in error.errors(include_url=False, include_input=False):
        name = str(problem["loc"][0])
        reason = describe_expected(problem["type"], problem.get("ctx", {}), problem["msg"])
        message = _("{name} (from {where}): {reason}").format(name=name, where=where.get(name, "?"), reason=reason)
        yield name, errors.ConfigError(message, _("Correct it there; .env-example describes every setting."))


def absolute(path: Path) -> str:
    """Return the path from the root without `..`: with it, it would be another name to cron, and none to systemd.

    Raise ConfigError where it begins with the home folder of nobody.
    """
    try:
        path = path.expanduser()
    except RuntimeError:
        hint = _("Write the whole path or value out.")
        raise errors.ConfigError(_("{path}: there is no such home folder").format(path=path), hint) from None
    return os.path.abspath(path)  # noqa: PTH100 - pathlib follows links, or leaves `..`


def webhook_url(settings: Settings) -> str:
    """Return the incoming webhook's URL. Raise ConfigError when it is not set."""
    if settings.webhook_url is None:
        raise errors.ConfigError(
            _("BITRIX_WEBHOOK_URL is not set"),
            _(
                "Run `b24tools init` with the URL of an incoming webhook "
                "(Bitrix24: Developer resources - Other - Incoming webhook), or try `b24tools demo`."
            ),
        )
    return settings.webhook_url.get_secret_value()


def choose_language(env_file: Path | None = None, *, is_profile: bool = False) -> str:
    """Return "ru" or "en": B24_LANG of the environment or of the file, else the locale's language.

    `is_profile`: the file wins.
    """
    language = os.environ.get("B24_LANG", "").strip()
    if is_profile or not language:
        language = read_value(env_file, "B24_LANG") or language
    if not language:
        language = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    language = language or locale.getlocale()[0] or ""
    return "ru" if language.lower().startswith(("ru", "russian")) else "en"
