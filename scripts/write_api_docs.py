"""Write the tables of docs/api.md and docs/json.md from the models: `python -m scripts.write_api_docs`.

The pages are prose with marked places, `<!-- shapes: Order Line -->` to `<!-- end -->`, which are filled in both
languages. What the models say is English; docs_ru.po has it in Russian, and this brings that up to the models.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from pydantic import TypeAdapter

from b24tools import context
from b24tools.core import config
from b24tools.server.app import create_app
from b24tools.server.auth import Access
from b24tools.server.openapi import COMMON
from b24tools.server.services import Services
from scripts.json_shapes import COMMANDS

DOCS = Path(__file__).parent.parent / "docs"
RU = Path(__file__).parent / "docs_ru.po"
FOLDERS = {"en": DOCS, "ru": DOCS / "ru"}
NAMES = ("api.md", "json.md")
PLACE = re.compile(r"(<!-- (\w+)(?:: ([\w ]+))? -->\n).*?(<!-- end -->)", re.S)
REFERENCE = "#/components/schemas/"
MANY = 16  # values that are too many for a cell
FORMATS = {"date-time": "time", "date": "day", "byte": "base64"}
CODES = {"en": "json.md#codes-of-errors", "ru": "json.md#коды-ошибок"}


@cache
def describe_service() -> dict[str, Any]:
    """What the service says of itself; nothing of it depends on the day or the settings but the examples."""
    folder = Path(tempfile.gettempdir()) / "b24tools-unused"
    session = context.Session(config.Settings.model_validate({"B24_DATA_DIR": folder}), print)
    return create_app(Services(session, lambda: None, context.now), Access("token")).openapi()


@cache
def describe_commands() -> tuple[dict[str, Any], dict[str, Any]]:
    """The schemas of the commands' `data`, and the schemas to which they refer."""
    schemas, named = {}, {}
    for command, shape in COMMANDS.items():
        schema = TypeAdapter(shape).json_schema(mode="serialization", ref_template=REFERENCE + "{model}")
        named |= schema.pop("$defs", {})
        if title := schema.get("title"):  # a single model stands there itself
            named[title], schema = schema, {"$ref": REFERENCE + title}
        schemas[command] = schema
    return schemas, named


@cache
def list_schemas() -> dict[str, Any]:
    """All that is described, of HTTP and of commands."""
    return {**describe_service()["components"]["schemas"], **describe_commands()[1]}


@cache
def list_shapes() -> dict[str, Any]:
    """All objects among it."""
    return {name: schema for name, schema in list_schemas().items() if schema.get("type") == "object"}


class Page:
    """A page in one language. `say` gives a sentence of the models in it; `say_words` the few words of its own."""

    def __init__(self, text: str, language: str, say: Callable[[str], str]) -> None:
        self.text, self.language, self.say = text, language, say
        self.homes = dict.fromkeys(self._find_names(text), "")

    @staticmethod
    def _find_names(text: str) -> list[str]:
        return [name for found in PLACE.finditer(text) if found[2] == "shapes" for name in found[3].split()]

    def look_for_shapes(self, page: str, text: str) -> None:
        """Let links lead to the shapes on another page."""
        self.homes |= dict.fromkeys(self._find_names(text), page)

    def fill(self) -> str:
        """The page with all its places filled."""
        fillings = {
            "shapes": self._describe_shapes,
            "commands": self._list_commands,
            "operations": self._list_operations,
        }
        return PLACE.sub(lambda found: f"{found[1]}\n{fillings[found[2]](found[3] or '')}\n{found[4]}", self.text)

    def _describe_shapes(self, names: str) -> str:
        return "\n".join(self._describe_shape(name) for name in names.split())

    def _describe_shape(self, name: str) -> str:
        schema = list_shapes()[name]
        lines = [f"### {name}", "", self.say(schema["description"])]
        if "properties" in schema:
            lines += ["", *self._head("key", "type", "meaning")]
        for key, field in schema.get("properties", {}).items():
            kind = self._name_type(field)
            if key not in schema.get("required", ()):
                kind += f"; {self.say('may be missing')}"
            lines.append(f"| `{key}` | {kind} | {self.say(field['description'])} |")
        if "properties" not in schema:
            lines += ["", f"{self.say('Each value:')} {self._name_type(schema['additionalProperties'])}."]
        return "\n".join([*lines, ""])

    def _list_commands(self, _names: str) -> str:
        rows = [f"| `{command}` | {self._name_type(schema)} |" for command, schema in describe_commands()[0].items()]
        return "\n".join([*self._head("command", "data"), *rows, ""])

    def _list_operations(self, _names: str) -> str:
        lines = []
        for path, operations in describe_service()["paths"].items():
            for method, operation in operations.items():
                lines += [f"### {operation['operationId']}", ""]
                lines += [f"`{method.upper()} {path}`: {self.say(operation['summary'])}.", ""]
                if parameters := operation.get("parameters"):
                    lines += self._head("parameter", "type", "meaning")
                    for one in parameters:
                        kind = self._name_type(one["schema"], null=False)
                        lines.append(f"| `{one['name']}` | {kind} | {self.say(one['description'])} |")
                    lines.append("")
                lines += [*self._describe_exchange(operation), ""]
        return "\n".join(lines)

    def _describe_exchange(self, operation: dict[str, Any]) -> Iterator[str]:
        """Say what is sent, what comes back, and with which statuses it is refused beside the common ones."""
        if body := operation.get("requestBody"):
            kinds = dict.fromkeys(self._name_type(one["schema"]) for one in body["content"].values())
            yield f"{self.say('Body:')} {', '.join(kinds)}. {self.say(body['description'])}"
            yield ""
        answers, refusals = [], []
        common = [str(status) for status in COMMON] if operation.get("security") is None else []
        for status, answer in sorted(operation["responses"].items()):
            kinds = [
                "HTML" if name == "text/html" else self._name_type(content["schema"])
                for name, content in sorted(answer.get("content", {}).items())
            ]
            kind = f" {self.say('or')} ".join(kinds)
            if kind.startswith("[Problem]"):
                refusals += [] if status in common else [status]
            else:
                answers.append(f"{status} {kind}".strip())
        sentence = f"{self.say('Answers:')} {', '.join(answers)}."
        yield sentence + (f" {self.say('Refusals:')} {', '.join(refusals)}." if refusals else "")

    def _head(self, *titles: str) -> list[str]:
        return [f"| {' | '.join(self.say(title) for title in titles)} |", "|---" * len(titles) + "|"]

    def _name_type(self, schema: dict[str, Any], *, null: bool = True) -> str:
        """Say a type in a few words."""
        if choices := schema.get("anyOf", schema.get("oneOf")):
            names = [self._name_type(one) for one in choices if null or one.get("type") != "null"]
            return f" {self.say('or')} ".join(dict.fromkeys(names))
        if reference := schema.get("$ref"):
            name = reference.removeprefix(REFERENCE)
            is_object = name in list_shapes()
            return (
                f"[{name}]({self.homes[name]}#{name.lower()})" if is_object else self._name_type(list_schemas()[name])
            )
        if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
            codes = f"[{self.say('a code')}]({CODES[self.language]})"
            return codes if len(values) > MANY else ", ".join(f"`{one}`" for one in values)
        if pair := schema.get("prefixItems"):
            return f"[{', '.join(map(self._name_type, pair))}]"
        for key, words in (("items", "list of"), ("additionalProperties", "by name:")):
            if isinstance(schema.get(key), dict):
                return f"{self.say(words)} {self._name_type(schema[key])}"
        return self.say(FORMATS.get(schema.get("format", ""), schema["type"]))


def fill_pages() -> tuple[dict[Path, str], set[str]]:
    """The pages as they shall be, and what the models say."""
    said: set[str] = set()
    russian = {message.id: message.string for message in read() if message.id}

    def say(language: str) -> Callable[[str], str]:
        def translate(text: str) -> str:
            said.add(text)
            return str(russian.get(text) or text) if language == "ru" else text

        return translate

    filled = {}
    for language, folder in FOLDERS.items():
        texts = {name: (folder / name).read_text(encoding="utf-8") for name in NAMES}
        for name, text in texts.items():
            page = Page(text, language, say(language))
            for other in texts.keys() - {name}:
                page.look_for_shapes(other, texts[other])
            filled[folder / name] = page.fill()
    return filled, said


def read() -> Catalog:
    """The Russian texts as they are."""
    if not RU.exists():
        return Catalog(locale="ru", project="b24tools", charset="utf-8", fuzzy=False)
    with RU.open("rb") as stream:
        return read_po(stream, locale="ru")


def update() -> list[str]:
    """Write the Russian texts and the pages; return what still wants a translation."""
    _pages, said = fill_pages()
    old = {message.id: message.string for message in read()}
    catalog = Catalog(locale="ru", project="b24tools", charset="utf-8", fuzzy=False, creation_date=date(2026, 1, 1))
    catalog.header_comment = "# What the models say, in Russian, for docs/ru: `python -m scripts.write_api_docs`."
    for text in sorted(said):
        catalog.add(text, old.get(text, ""))
    with RU.open("wb") as stream:
        write_po(stream, catalog, width=120, omit_header=False)
    for path, text in fill_pages()[0].items():
        path.write_text(text, encoding="utf-8")
    return [text for text in sorted(said) if not old.get(text)]


if __name__ == "__main__":
    for missing in update():
        print("not translated:", json.dumps(missing, ensure_ascii=False))  # noqa: T201 - a tool's output
