"""Running settings as people set them: people by name or id, lists changed by one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.names import find_people, find_person, hint_nearest, nearest_name, read_id
from b24tools.store import Store
from b24tools.store.settings import RUNNING_SETTINGS, lists_people, read_acknowledged

ADD, REMOVE = "add", "remove"
IGNORED = "doctor_ignore"
ListChecks = Callable[[], Collection[str]]  # the names of doctor's checks


def save_setting(store: Store, key: str, value: str, now: datetime, list_checks: ListChecks) -> None:
    """Set a running setting. In a list of people names stand for ids. Raises ConfigError."""
    if key == IGNORED:
        _refuse_useless(store, value, now, list_checks)
    if lists_people(key):
        words = [word for word in value.split(",") if word.strip()]
        value = ",".join(dict.fromkeys(_read_id(store, word, ()) for word in words))
    store.settings.save(key, value, now)


def change_list(store: Store, key: str, change: str, item: str, now: datetime, list_checks: ListChecks) -> None:
    """Add people to a list, by names or ids with commas between them, or remove them; nothing where that is so already.

    Of doctor_ignore an item is a check with a day and a note, and a check is removed by its name.
    Raises ConfigError for a setting that is no list, for a name that is not known or means several people, for a
    check that does not exist, and for a last day that is over.
    """
    if key == IGNORED:
        item_of = {acknowledged.check: acknowledged.text for acknowledged in store.settings.acknowledged()}
        if change == REMOVE:
            name = _read_check(item)
            if item_of.pop(name, None) is None:
                _refuse_unknown(name, list_checks)
        else:
            _refuse_useless(store, item, now, list_checks)
        store.settings.save(key, "; ".join([*item_of.values(), *([item] if change == ADD else [])]), now)
        return
    current = [word.strip() for word in store.settings.get(key).split(",") if word.strip()]
    if not lists_people(key):
        raise errors.ConfigError(
            _("{key} is no list: it has one value").format(key=key),
            _("There are: {known}").format(known=", ".join([*filter(lists_people, RUNNING_SETTINGS), IGNORED])),
        )
    words = [word for word in item.split(",") if word.strip()] or [item]
    ids = list(dict.fromkeys(_read_id(store, word, current if change == REMOVE else ()) for word in words))
    others = [other for other in current if other not in ids]
    store.settings.save(key, ",".join([*others, *ids] if change == ADD else others), now)


def _read_check(text: str) -> str:
    """Return which check is meant, by its name or by all that was said of it."""
    with suppress(errors.ConfigError):
        for acknowledged in read_acknowledged(text):
            return acknowledged.check
    return text.strip()


def _refuse_useless(store: Store, text: str, now: datetime, list_checks: ListChecks) -> None:
    """Raise ConfigError for an acknowledgement of a check that does not exist, or a new one whose last day is over."""
    current = store.settings.acknowledged()
    for acknowledged in read_acknowledged(text):
        _refuse_unknown(acknowledged.check, list_checks)
        if acknowledged.until < now.date() and acknowledged not in current:
            message = _("the last day of “{name}”, {day}, is over: doctor would go on to name it")
            message = message.format(name=acknowledged.check, day=f"{acknowledged.until:%d.%m.%Y}")
            raise errors.ConfigError(message, _("Give a day to come, as YYYY-MM-DD."))


def _refuse_unknown(check: str, list_checks: ListChecks) -> None:
    """Raise ConfigError for a check that does not exist; what it is about may be anything."""
    name, known = check.partition(" ")[0], list_checks()
    if name not in known:
        otherwise = _("There are: {known}").format(known=", ".join(sorted(known)))
        raise errors.ConfigError(
            _("there is no check “{name}”").format(name=name), hint_nearest(nearest_name(name, known), otherwise)
        )


def _read_id(store: Store, text: str, preferred: list[str] | tuple[()]) -> str:
    """The id of whom somebody means: of `preferred` ids if one of them fits, of those who work here, or of all."""
    if (number := read_id(text.strip().removeprefix("#"))) is not None:
        return str(number)
    people = store.people.all()
    if not people:
        raise errors.ConfigError(
            _('there is no person called "{name}"').format(name=text.strip()),
            _("No people are known yet: run `b24tools snapshot` once, or give the id."),
        )
    on_list = [person for person in people if str(person.id) in preferred]
    if find_people(text, on_list):
        return str(find_person(text, on_list).id)
    return str(find_person(text, people, active_first=True).id)
