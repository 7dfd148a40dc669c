"""`/configs`: the settings that may change while b24tools runs."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import FastAPI, Path
from pydantic import BaseModel, Field, ValidationError

from b24tools import context
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.jobs.settings import save_setting
from b24tools.server import openapi
from b24tools.server.models import Setting, SettingKey
from b24tools.server.responses import HttpError
from b24tools.server.services import Services, SmallBody
from b24tools.store import Store

KEYS = get_args(SettingKey.__value__)
BODY = {"application/json": {"schema": {"$ref": "#/components/schemas/Setting"}}}


class _GivenSetting(BaseModel):
    """What is to be set: read before it is known whether there is such a setting."""

    key: str
    value: Annotated[str, Field(coerce_numbers_to_str=True)]


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""

    @api.get("/configs", summary="The running settings", responses=openapi.describe_answers())
    def list_settings() -> list[Setting]:
        with services.open_store() as store:
            return [read_setting(store, key) for key in KEYS]

    @api.get("/configs/{key}", summary="One running setting", responses=openapi.describe_answers(404))
    def get_setting(
        key: Annotated[str, Path(description="Its name.", json_schema_extra={"enum": list(KEYS)})],
    ) -> Setting:
        _check_known(key, 404)
        with services.open_store() as store:
            return read_setting(store, key)

    @api.post(
        "/configs",
        summary="Set a running setting; it holds at once, in every process",
        openapi_extra=openapi.describe_body(BODY, description="Content-Type does not matter."),
        responses=openapi.describe_answers(408, 413, 422),
    )
    def set_setting(body: SmallBody) -> Setting:
        try:
            # whatever the Content-Type: curl's -d calls everything a form
            given = _GivenSetting.model_validate_json(body)
        except ValidationError:
            example = '{"key": "...", "value": "..."}'
            raise HttpError(
                422, _("expected JSON like {example}").format(example=example), _("GET /configs shows the keys.")
            ) from None
        _check_known(given.key, 422)
        with services.open_store() as store:
            try:
                save_setting(store, given.key, given.value, services.now(), context.list_checks)
            except errors.ConfigError as error:
                raise HttpError(422, error.message, error.hint, code=error.code) from None
            return read_setting(store, given.key)


def read_setting(store: Store, key: str) -> Setting:
    """Read a setting's value, or its default."""
    return Setting.model_validate({"key": key, "value": store.settings.get(key)})


def _check_known(key: str, status: int) -> None:
    if key not in KEYS:
        known = _("There are: {known}").format(known=", ".join(KEYS))
        unknown = _('there is no running setting "{key}"').format(key=key[:50])
        raise HttpError(status, unknown, known)
