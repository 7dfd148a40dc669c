"""user.get, department.get, and what needs no scope: profile, scope, server.time.

Not emulated, hence without effect: extranet owners, ADMIN_MODE, IMAGE_RESIZE, filters by dates and by NAME_SEARCH.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from operator import attrgetter
from typing import Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.methods import SCRAMBLE, Answer, Call, RestError, method, page
from b24tools.sandbox.records import Department, User

CONTROL: Final = ("SORT", "ORDER", "FILTER", "ADMIN_MODE", "SELECT", "IMAGE_RESIZE", "START")
USER_COLUMNS: Final = filters.columns(
    "ID NAME LAST_NAME SECOND_NAME EMAIL TIME_ZONE WORK_POSITION=position UF_DEPARTMENT=departments USER_TYPE"
)
USER_ROW: Final = USER_COLUMNS | {
    **dict.fromkeys(("PERSONAL_GENDER", "PERSONAL_BIRTHDAY", "UF_EMPLOYMENT_DATE"), lambda _user: ""),
    "ID": lambda user: str(user.id),
    "ACTIVE": attrgetter("active"),
    "IS_ONLINE": lambda _user: "N",
    "LAST_LOGIN": attrgetter("last_login"),
    "DATE_REGISTER": attrgetter("registered"),
}
NOT_SORTABLE: Final = ("UF_DEPARTMENT", "USER_TYPE")
DEPARTMENT_COLUMNS: Final = filters.columns("ID NAME SORT UF_HEAD=head") | {"PARENT": lambda row: row.parent or 0}


@method("profile")
def get_profile(call: Call) -> dict[str, Any]:
    """Describe the webhook's owner: whether an administrator, and the time zone."""
    user = call.user
    names = {"ID": str(user.id), "ADMIN": user.admin, "NAME": user.name, "LAST_NAME": user.last_name}
    return names | {"PERSONAL_GENDER": "", "TIME_ZONE": user.time_zone}


@method("scope")
def list_scopes(call: Call) -> list[str]:
    return sorted(call.portal.scopes)


@method("server.time")
def get_time(call: Call) -> str:
    return call.portal.now().astimezone(call.portal.server_zone).isoformat(timespec="seconds")


@method("user.get", "user")
def list_users(call: Call) -> Answer:
    """Give a page of users with a department; never bots and mail users.

    Without an ACTIVE filter the dismissed and the never logged in are among them. Unlike in tasks, an empty list of
    ids finds no one.
    """
    params = php.upper_keys(call.params)
    raw = params.get("FILTER")
    if not php.is_array(raw):
        raw = {key: value for key, value in params.items() if key not in CONTROL}
    raw = php.upper_keys(raw)
    users = [user for user in call.portal.users.values() if user.user_type == "employee" and user.departments]
    if "ACTIVE" in raw:
        # PHP truthiness and "N": the text "false", all that a form or a batch can carry, is true
        value = raw.pop("ACTIVE")
        users = [user for user in users if user.active == (php.is_true(value) and value != "N")]
    users = filters.select(users, filters.read_conditions(raw, USER_COLUMNS, like_texts=True))
    sort, direction = params.get("SORT"), params.get("ORDER")
    if not (isinstance(sort, str) and isinstance(direction, str)):  # only both together make an ORDER BY
        users.sort(key=lambda user: user.id * SCRAMBLE % 2**32)
    elif sort.upper() not in USER_COLUMNS or sort.upper() in NOT_SORTABLE:
        name = sort.upper()
        raise RestError("0", f"Unknown field definition `{name}` ({name}) for User Entity.")
    else:
        users = filters.sort(users, {sort: direction}, USER_COLUMNS)
    zone, wanted = call.portal.zone_of(call.user), params.get("SELECT")
    names = php.values(wanted) if php.is_array(wanted) else []
    shown = USER_ROW if not names or "*" in names else {name: USER_ROW[name] for name in USER_ROW if name in names}
    answer = page(users, call.start, lambda user: _user_row(user, shown, zone), floored=False)
    if php.to_int(call.start) == -1:
        return Answer(answer.result, total=0)
    return answer if users else Answer([])  # no total


def _user_row(user: User, columns: Mapping[str, filters.Column], zone: tzinfo) -> dict[str, Any]:
    """Give a row of these columns without the NULL ones, the moments in a zone."""
    row = {name: value for name, column in columns.items() if (value := column(user)) is not None}
    if "LAST_LOGIN" in row:
        row["LAST_LOGIN"] = row["LAST_LOGIN"] and datetime.fromtimestamp(row["LAST_LOGIN"], zone).isoformat()
    if "DATE_REGISTER" in row:  # a date without a time, with the offset's artefact
        row["DATE_REGISTER"] = f"{datetime.fromtimestamp(row['DATE_REGISTER'], zone):%Y-%m-%d}T03:00:00+03:00"
    return row


@method("department.get", "department")
def list_departments(call: Call) -> Answer:
    """Give a page of departments, in tree order by default.

    Names in the filter are taken only in upper case and without signs. With a FILTER object `sort` and `order`
    are read from inside it, those at the top are lost.
    """
    outer = call.params.get("FILTER")
    params: dict[str, Any] = dict(php.items(outer)) if php.is_array(outer) else call.params
    asked = {name: value for name, value in params.items() if name in DEPARTMENT_COLUMNS}
    children: dict[int | None, list[Department]] = {}
    for row in sorted(call.portal.departments.values(), key=lambda row: (row.sort, row.name), reverse=True):
        children.setdefault(row.parent, []).append(row)
    rows, waiting = [], children.get(None, [])
    while waiting:  # each before its children
        rows.append(waiting.pop())
        waiting += children.get(rows[-1].id, ())
    rows = filters.select(rows, filters.read_conditions(asked, DEPARTMENT_COLUMNS, like_texts=True))
    order = {php.to_text(params.get("sort")): params.get("order", "ASC")}
    return page(filters.sort(rows, order, DEPARTMENT_COLUMNS), call.start, _department_row, floored=True)


def _department_row(row: Department) -> dict[str, Any]:
    """PARENT is absent for the root, UF_HEAD where there is no head."""
    links = {"PARENT": row.parent, "UF_HEAD": row.head}
    links_shown = {name: str(number) for name, number in links.items() if number is not None}
    return {"ID": str(row.id), "NAME": row.name, "SORT": row.sort, **links_shown}
