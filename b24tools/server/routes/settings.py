"""`/configs`: the settings that may change while b24tools runs."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import ValidationError

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.server import openapi
from b24tools.server.openapi import Setting
from b24tools.server.responses import HttpError
from b24tools.server.services import Services, SmallBody

KEYS = ("producer_mode", "hidden_users", "excluded_users", "snapshot_max_age_h")
EXAMPLE = {"key": "producer_mode", "value": "webhook"}
BODY = {"application/json": {"schema": {"$ref": "#/components/schemas/Setting"}, "example": EXAMPLE}}


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""

    @api.get("/configs", summary=_("The running settings"), responses=openapi.describe_answers(401, 503))
    def list_settings() -> list[Setting]:
        with services.open_store() as store:
            return [Setting(key=key, value=store.settings.get(key)) for key in KEYS]

    @api.get("/configs/{key}", summary=_("One of them"), responses=openapi.describe_answers(401, 404, 422, 503))
    def read_setting(key: str) -> Setting:
        _check_known(key, 404)
        with services.open_store() as store:
            return Setting(key=key, value=store.settings.get(key))

    @api.post(
        "/configs",
        summary=_("Set one; it holds at once, in every process"),
        openapi_extra=openapi.describe_body(BODY),
        responses=openapi.describe_answers(401, 403, 413, 422, 503),
    )
    def set_setting(body: SmallBody) -> Setting:
        try:
            given = Setting.model_validate_json(body)  # whatever the Content-Type: curl's -d calls everything a form
        except ValidationError:
            example = '{"key": "...", "value": "..."}'
            raise HttpError(
                422, _("expected JSON like {example}").format(example=example), _("GET /configs shows the keys.")
            ) from None
        _check_known(given.key, 422)
        with services.open_store() as store:
            try:
                store.settings.save(given.key, given.value, services.now())
            except errors.ConfigError as error:
                raise HttpError(422, error.message, error.hint, code=error.code) from None
            return Setting(key=given.key, value=store.settings.get(given.key))


def _check_known(key: str, status: int) -> None:
    if key not in KEYS:
        known = _("There are: {known}").format(known=", ".join(KEYS))
        unknown = _('there is no running setting "{key}"').format(key=key[:50])
        raise HttpError(status, unknown, known)
