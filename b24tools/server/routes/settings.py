"""`/configs`: the settings that may change while b24tools runs."""

from __future__ import annotations

import json

from fastapi import FastAPI, HTTPException

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.server import openapi
from b24tools.server.openapi import Setting
from b24tools.server.responses import describe
from b24tools.server.services import Services, SmallBody

KEYS = ("producer_mode", "hidden_users", "excluded_users", "snapshot_max_age_h")


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""

    @api.get("/configs", summary=_("The running settings"), responses=openapi.problems(401))
    def list_settings() -> list[Setting]:
        with services.open_store() as store:
            return [Setting(key=key, value=store.setting(key)) for key in KEYS]

    @api.get("/configs/{key}", summary=_("One of them"), responses=openapi.problems(401, 404, 422))
    def read_setting(key: str) -> Setting:
        _check_known(key, 404)
        with services.open_store() as store:
            return Setting(key=key, value=store.setting(key))

    @api.post(
        "/configs",
        summary=_("Set one; it holds at once, in every process"),
        openapi_extra=openapi.setting_body(),
        responses=openapi.problems(401, 403, 413, 422),
    )
    def set_setting(body: SmallBody) -> Setting:
        key, value = _parse(body)
        _check_known(key, 422)
        with services.open_store() as store:
            try:
                store.save_setting(key, value, services.now())
            except errors.ConfigError as error:
                raise HTTPException(422, describe(error)) from None
            return Setting(key=key, value=store.setting(key))


def _check_known(key: str, status: int) -> None:
    if key not in KEYS:
        known = _("There are: {known}").format(known=", ".join(KEYS))
        raise HTTPException(status, _('there is no running setting "{key}"').format(key=key[:50]) + f". {known}")


def _parse(body: bytes) -> tuple[str, str]:
    """Read key and value, whatever the Content-Type: curl's -d calls everything a form."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    key, value = (data.get("key"), data.get("value")) if isinstance(data, dict) else (None, None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(key, str) or not isinstance(value, str):
        raise HTTPException(422, _("expected JSON like {example}").format(example='{"key": "...", "value": "..."}'))
    return key, value
