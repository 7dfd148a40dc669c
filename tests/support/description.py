"""Answers compared with what `/openapi.json` says of them."""

from __future__ import annotations

import copy
import re
from datetime import date, datetime
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker

from scripts.write_api_docs import describe_service

FORMATS = FormatChecker([])
EVERYWHERE = (404, 405)  # any address may answer so: it does not exist, or takes another method


@FORMATS.checks("date-time", ValueError)
def _is_moment(value: object) -> bool:
    """ISO 8601 with its offset."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("date", ValueError)
def _is_day(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@cache
def _close_schemas() -> dict[str, Any]:
    """The schemas, without room for keys that are not described."""
    schemas = copy.deepcopy(describe_service()["components"]["schemas"])
    for schema in schemas.values():
        if "properties" in schema and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
    return dict(schemas)


def check_value(value: Any, schema: dict[str, Any]) -> None:
    """Raise ValidationError where a value is not what a schema of the description says, or more than that."""
    root = {**schema, "components": {"schemas": _close_schemas()}}
    Draft202012Validator(root, format_checker=FORMATS).validate(value)


def find_operation(method: str, path: str) -> dict[str, Any]:
    """The operation that answers at an address; {} where none is described."""
    path = path.rstrip("/") or "/"
    for form, operations in describe_service()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(form))
        if re.fullmatch(pattern.removesuffix("/") or "/", path):
            operation: dict[str, Any] = operations.get(method.lower(), {})
            return operation
    return {}


def check_answer(response: httpx.Response) -> None:
    """Raise where an answer is not as it is described; a hook for httpx."""
    request = response.request
    operation = find_operation("GET" if request.method == "HEAD" else request.method, request.url.path)
    described = operation.get("responses", {}).get(str(response.status_code))
    if described is None:
        assert response.status_code in EVERYWHERE or not operation, (
            f"{request.method} {request.url.path}: {response.status_code} is not described"
        )
        described = {}
    kind = response.headers.get("content-type", "").partition(";")[0]
    is_page = kind in ("text/html", "text/plain") and kind in operation.get("responses", {}).get("200", {}).get(
        "content", {}
    )
    if request.method == "HEAD" or is_page or request.url.path == "/openapi.json":
        return
    if kind == "application/json":
        response.read()
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        check_value(response.json(), described.get("content", {}).get(kind, problem)["schema"])
    else:
        assert not described.get("content"), kind
