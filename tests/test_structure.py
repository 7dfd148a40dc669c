"""The arrows between modules, and the one door of each library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "b24tools"

# Who may import whom; a place not named as a target is a leaf that everybody may use.
LEAVES = {"clock", "errors", "hosts", "i18n", "models", "staff", "weeks", "__init__"}
ARROWS = {
    "bitrix": {"bitrix"},
    "planning": {"planning"},
    "onec": {"onec"},
    "store": {"store", "migrations"},
    "migrations": set(),
    "locks": set(),
    "config": set(),
    "jobs": {"jobs", "bitrix", "planning", "onec", "store"},
    "show": {"show", "jobs", "store"},
    "session": {"config", "store", "locks", "bitrix", "jobs", "planning"},
    "cli": {"cli", "session", "config", "store", "onec", "jobs", "show", "sandbox", "server"},
    "server": {"server", "session", "store", "onec", "jobs", "show"},
    "sandbox": {"sandbox"},
    "__main__": {"config", "cli"},
}
# Modules that belong together under one name.
TOGETHER = {
    "onec_json": "onec",
    "onec_values": "onec",
    "cli_assign": "cli",
    "cli_doctor": "cli",
    "cli_replay": "cli",
    "cli_words": "cli",
    "demo": "cli",
    "cli_leaderboard": "cli",
    "cli_load": "cli",
    "cli_why": "cli",
    "cli_serve": "cli",
    "server_board": "server",
    "server_docs": "server",
    "server_door": "server",
    "server_intake": "server",
    "server_logs": "server",
    "server_orders": "server",
    "server_replies": "server",
    "cli_snapshot": "cli",
    "show_assign": "show",
    "show_load": "show",
    "show_snapshot": "show",
    "show_why": "show",
    "show_events": "show",
    "history": "store",
    "inbox": "store",
    "reasons": "store",
    "show_doctor": "show",
    "reader": "store",
    "runs": "store",
    "tallies": "store",
    "show_board": "show",
    "board_words": "show",
    "board_files": "show",
}
SANDBOX_MAY = "b24tools.bitrix.brackets"

DOORS = {
    "httpx": {"bitrix/client.py", "sandbox/front.py"},
    "idna": {"hosts.py"},
    "typer": {"cli.py", "cli_words.py"},
    "rich": {"show.py", "show_assign.py", "show_board.py", "show_doctor.py", "show_load.py", "show_why.py"},
    "fastapi": {"server.py", "server_board.py", "server_docs.py", "server_door.py", "server_replies.py"},
    "starlette": {"sandbox/front.py", "server.py", "server_door.py"},
    "sqlite_utils": {"store.py", "history.py", "reasons.py", "runs.py", "migrations.py"},
    "pydantic_core": {"bitrix/answers.py"},
    "diskcache": {"bitrix/directory.py"},
    "dotenv": {"config.py"},
    "platformdirs": {"config.py"},
    "holidays": {"planning/production.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def place_of(module: str) -> str:
    """`b24tools.jobs.assign.run` → jobs."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else "__init__"
    return TOGETHER.get(name, name)


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module, and whether it is imported only for the type checker."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in for_types
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = str(node.module)
            for alias in node.names:
                full = f"{module}.{alias.name}"
                is_module = (PACKAGE.parent / Path(*full.split("."))).with_suffix(".py").exists() or (
                    PACKAGE.parent / Path(*full.split("."))
                ).is_dir()
                yield (full if is_module else module), id(node) in for_types


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path) -> None:
    """A module imports only what stands below it."""
    here = path.relative_to(PACKAGE).with_suffix("")
    mine = TOGETHER.get(here.parts[0], here.parts[0])
    allowed = LEAVES | ARROWS.get(mine, set())

    wrong = [
        module
        for module, _for_types in imports_of(path)
        if module.split(".")[0] == "b24tools"
        and place_of(module) not in allowed
        and not (mine == "sandbox" and module == SANDBOX_MAY)
    ]

    assert [] == wrong


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_library_has_one_door(path: Path) -> None:
    """Only the door imports the library at run time; what has no door is Python's own or named here."""
    here = path.relative_to(PACKAGE).as_posix()
    elsewhere = {"pydantic", "filelock", "uvicorn", "h11", "b24tools", *sys.stdlib_module_names}

    wrong = [
        module
        for module, for_types in imports_of(path)
        if not for_types
        and module.split(".")[0] not in elsewhere
        and here not in DOORS.get(module.split(".")[0], set())
    ]

    assert [] == wrong


def test_importing_the_package_starts_nothing_heavy() -> None:
    """The commands are there before the HTTP client, the web framework, the database or the tables are."""
    heavy = {"httpx", "fastapi", "starlette", "uvicorn", "sqlite_utils", "rich", "diskcache", "holidays"}
    code = f"import sys, b24tools.cli; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == done.stdout


def test_the_client_brings_no_command_line() -> None:
    """httpx would load its own, with rich, click and pygments, and works without."""
    code = """
import sys
from b24tools.bitrix import client
print(sorted({"rich", "click", "pygments"} & set(sys.modules)), client.httpx.URL("https://example.com").host)
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[] example.com\n" == done.stdout
