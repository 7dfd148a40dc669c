"""user.get, user.search, user.current, profile and user.admin.

Not emulated: extranet owners, ADMIN_MODE beyond people without a department, IMAGE_RESIZE, writing methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from b24tools.sandbox import ormfilter, php
from b24tools.sandbox.records import User
from b24tools.sandbox.rest import PAGE, Answer, Call, Method, RestError, offset_page

SCRAMBLE: Final = 2654435761
CONTROL: Final = ("SORT", "ORDER", "FILTER", "ADMIN_MODE", "SELECT", "IMAGE_RESIZE", "START", "FIND")
COLUMNS: Final[dict[str, ormfilter.Column]] = {
    "ID": lambda user: user.id,
    "XML_ID": lambda user: user.xml_id,
    "NAME": lambda user: user.name,
    "LAST_NAME": lambda user: user.last_name,
    "SECOND_NAME": lambda user: user.second_name,
    "EMAIL": lambda user: user.email,
    "WORK_POSITION": lambda user: user.position,
    "TIME_ZONE": lambda user: user.time_zone,
    "DATE_REGISTER": lambda user: user.registered,
    "LAST_LOGIN": lambda user: user.last_login,
    "UF_DEPARTMENT": lambda user: user.departments,
    "USER_TYPE": lambda user: user.user_type,
    "IS_ONLINE": lambda user: "N",
}
DATES: Final = ("DATE_REGISTER", "LAST_LOGIN")
SORTABLE: Final = tuple(name for name in COLUMNS if name not in ("UF_DEPARTMENT", "USER_TYPE", "IS_ONLINE"))


def get(call: Call) -> Answer:
    """A page of users; without an ACTIVE filter the dismissed and the never logged in are among them."""
    params = php.upper_keys(call.params)
    raw = params.get("FILTER")
    if not php.is_array(raw):
        raw = {key: value for key, value in params.items() if key not in CONTROL}
    return _page(call, params, _filtered(call, php.upper_keys(raw), _visible(call, params)))


def search(call: Call) -> Answer:
    """Like user.get, with FIND: every word must begin some part of the name or the position."""
    params = php.upper_keys(call.params)
    raw = params.get("FILTER")
    flat = php.upper_keys(raw) if php.is_array(raw) else {key: params[key] for key in params if key not in CONTROL}
    words = php.fold(php.to_text(params.get("FIND", flat.pop("FIND", "")))).split()
    users = [user for user in _visible(call, params) if _found(user, words)]
    return _page(call, params, _filtered(call, flat, users))


def _found(user: User, words: list[str]) -> bool:
    parts = php.fold(f"{user.name} {user.last_name} {user.second_name or ''} {user.position}").split()
    return all(any(part.startswith(word) for part in parts) for word in words)


def _visible(call: Call, params: dict[str, Any]) -> Iterable[User]:
    """Those with a department; never bots and mail users."""
    wide = php.is_true(params.get("ADMIN_MODE")) and call.user.admin
    for user in call.portal.users.values():
        if user.user_type == "employee" and (user.departments or wide):
            yield user


def _filtered(call: Call, raw: dict[str, Any], users: Iterable[User]) -> list[User]:
    raw = dict(raw)
    conditions: list[ormfilter.Condition] = []
    if "ACTIVE" in raw:
        # PHP truthiness and "N": the text "false", all that a form or a batch can carry, is true
        value = raw.pop("ACTIVE")
        active = php.is_true(value) and value != "N"
        conditions.append(lambda user: user.active == active)
    if "NAME_SEARCH" in raw:
        words = php.fold(php.to_text(raw.pop("NAME_SEARCH"))).split()
        conditions.append(lambda user: _found(user, words))
    for key in list(raw):
        name = key.lstrip("<>=!@%")
        if name in DATES:
            raw[key] = php.strtotime(php.to_text(raw[key]), call.portal.now(), call.portal.server_zone)
            if raw[key] is None:
                return []
        if name == "ID" and (raw[key] == [] or raw[key] == {}):
            return []  # unlike in tasks, an empty list of ids is nobody
    conditions += ormfilter.conditions(raw, COLUMNS, any_case=True, like_texts=True)
    return ormfilter.select(users, conditions)


def _page(call: Call, params: dict[str, Any], users: list[User]) -> Answer:
    rows = _sorted(params, users)
    if php.to_int(call.start) == -1:
        return Answer([_row(call, user, params) for user in rows[:PAGE]], total=0)
    page = offset_page(rows, call.start)
    if not rows:
        return Answer([])  # no total
    return Answer([_row(call, user, params) for user in page.result], total=page.total, next=page.next)


def _sorted(params: dict[str, Any], users: list[User]) -> list[User]:
    """Only `sort` and `order` together make an ORDER BY; else the order is arbitrary."""
    sort, direction = params.get("SORT"), params.get("ORDER")
    if not (isinstance(sort, str) and isinstance(direction, str)):
        return sorted(users, key=lambda user: user.id * SCRAMBLE % 2**32)
    name = sort.upper()
    if name not in SORTABLE:
        raise RestError("0", f"Unknown field definition `{name}` ({name}) for User Entity.")
    return ormfilter.order_by(users, {name: direction}, COLUMNS)


def _row(call: Call, user: User, params: dict[str, Any]) -> dict[str, Any]:
    row = _columns(call, user)
    row |= {"TIMESTAMP_X": php.RawDateTime(), "LAST_ACTIVITY_DATE": php.RawDateTime()}
    wanted = params.get("SELECT")
    names = list(wanted.values()) if isinstance(wanted, dict) else wanted
    if not isinstance(names, list) or not names or "*" in names:
        return row
    # as they are written, and the id like any other
    return {key: value for key, value in row.items() if key in names or ("UF_*" in names and key.startswith("UF_"))}


def _columns(call: Call, user: User) -> dict[str, Any]:
    """The row without its NULL columns."""
    zone = call.portal.zone_of(call.user)
    row = {
        "ID": str(user.id),
        "XML_ID": user.xml_id,
        "ACTIVE": user.active,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": user.second_name,
        "EMAIL": user.email,
        "LAST_LOGIN": None if user.last_login is None else datetime.fromtimestamp(user.last_login, zone).isoformat(),
        # a date without a time, with the offset's artefact
        "DATE_REGISTER": f"{datetime.fromtimestamp(user.registered, zone):%Y-%m-%d}T03:00:00+03:00",
        "TIME_ZONE": user.time_zone,
        "IS_ONLINE": "N",
        "PERSONAL_GENDER": "",
        "PERSONAL_BIRTHDAY": "",
        "WORK_POSITION": user.position,
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": list(user.departments),
        "USER_TYPE": user.user_type,
    }
    return {name: value for name, value in row.items() if value is not None}


def current(call: Call) -> dict[str, Any]:
    """The webhook's owner."""
    row = _columns(call, call.user)
    row["LAST_ACTIVITY_DATE"] = f"{call.portal.now().astimezone(call.portal.server_zone):%Y-%m-%d %H:%M:%S}"
    return row


def profile(call: Call) -> dict[str, Any]:
    """The webhook's owner, whether an administrator, and the time zone; needs no scope."""
    user = call.user
    names = {"ID": str(user.id), "ADMIN": user.admin, "NAME": user.name, "LAST_NAME": user.last_name}
    return names | {"PERSONAL_GENDER": "", "TIME_ZONE": user.time_zone}


def is_admin(call: Call) -> bool:
    """Whether the webhook's owner is an administrator."""
    return call.user.admin


METHODS: Final = (
    Method("user.get", "user", get),
    Method("user.search", "user", search),
    Method("user.current", "user", current),
    Method("user.admin", "", is_admin),
    Method("profile", "", profile),
)
