"""The commands people type: `nox -s lint`, `types`, `test`, `docs`; plain `nox` runs all four.

All that has to be there is nox (`pipx install nox`, or `pip install nox`): each command makes an environment of its own
from requirements-dev.txt, and uses it again the next time. `nox -s lock` writes that file anew.
"""

from __future__ import annotations

import nox

LOCK = "requirements-dev.txt"

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "test", "docs"]


def install(session: nox.Session) -> None:
    """Install b24tools and everything for its development, in the versions of the lock."""
    session.install("-c", LOCK, "-e", ".[test]")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and the arrows between the packages."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    install(session)
    session.run("mypy")


@nox.session
def test(session: nox.Session) -> None:
    """Run the tests, or what is named: nox -s test -- tests/contract/test_docs.py -n0."""
    install(session)
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Draw the pictures of the terminal and write the tables of the models anew, then check that the pages are true."""
    install(session)
    session.run("python", "-m", "scripts.draw_readme")
    session.run("python", "-m", "scripts.write_api_docs")
    session.run("python", "-m", "scripts.write_commands")
    session.run("python", "-m", "scripts.write_schedule")
    session.run("python", "-m", "pytest", "-n0", "tests/contract/test_docs.py")


@nox.session
def lock(session: nox.Session) -> None:
    """Choose the newest versions that pyproject.toml allows, for every Python and system, and write them down."""
    session.install("uv")
    command = ["uv", "pip", "compile", "pyproject.toml", "--extra", "test", "--universal", "--python-version", "3.11"]
    session.run(*command, "--upgrade", "--quiet", "--custom-compile-command", "nox -s lock", "-o", LOCK)
