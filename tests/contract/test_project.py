"""The lock, the hooks, the workflows and the changelog agree with pyproject.toml and with one another."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import b24tools
from scripts import build_wheelhouse

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _requirements() -> list[Requirement]:
    return [Requirement(line) for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]]


def _list_imports(folder: str) -> set[str]:
    """List the distributions whose modules the files of a folder import, anywhere in them."""
    texts = (file.read_text(encoding="utf-8") for file in (ROOT / folder).rglob("*.py"))
    modules = {name for text in texts for name in re.findall(r"^ *(?:from|import) (\w+)", text, re.M)}
    owners = packages_distributions()
    foreign = modules - sys.stdlib_module_names - {"b24tools", "tests", "scripts"}
    return {canonicalize_name(owners[module][0]) for module in foreign if module in owners}


def test_what_is_imported_is_declared() -> None:
    """And what is declared is imported; a library that another one brings along today may be gone tomorrow."""
    unseen = {"fastapi-swagger", "tzdata"}  # its pages are read as files; the zones are zoneinfo's
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    for_tests = {canonicalize_name(wanted.name) for wanted in _requirements()}
    not_needed = {"aiohttp", "attrs", "certifi", "hatchling"}  # of the bench, the generated client, the build

    assert declared == (_list_imports("b24tools") | unseen) - {"psycopg", "pyarrow"}
    assert for_tests >= (_list_imports("tests") | _list_imports("scripts")) - not_needed


def test_the_lock_has_what_the_project_asks_for() -> None:
    """`nox -s lock` was run after the last change of a dependency."""
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", _read("requirements-dev.txt"), re.M):
        locked.setdefault(canonicalize_name(name), []).append(version)

    missing = [
        str(wanted)
        for wanted in _requirements()
        if not any(wanted.specifier.contains(version) for version in locked.get(canonicalize_name(wanted.name), []))
    ]

    assert [] == missing


def test_the_hooks_have_the_versions_of_the_project() -> None:
    """Or a commit would be formatted in one way and checked in another."""
    pinned = {canonicalize_name(wanted.name): str(wanted.specifier) for wanted in _requirements()}
    hooks = dict(re.findall(r"additional_dependencies: \[([\w-]+)(==[^\]]+)\]", _read(".pre-commit-config.yaml")))

    assert "ruff" in hooks
    assert {} == {name: version for name, version in hooks.items() if pinned.get(name, version) != version}


def test_every_python_of_the_project_is_tested() -> None:
    """From the oldest that it takes, by the workflow and by .ci/run."""
    workflow = re.findall(r"^ {12}(3\.\d+)$", _read(".github/workflows/ci.yml"), re.M)
    (in_ci,) = re.findall(r"^for minor in (.*); do$", _read(".ci/run"), re.M)

    assert PYTHONS == workflow == in_ci.split() == build_wheelhouse.list_pythons()
    assert f">={PYTHONS[0]}" == PROJECT["requires-python"]


def test_actions_are_pinned_by_their_commits() -> None:
    """A tag can be moved; the version stands beside it for people and for Dependabot."""
    uses = [
        line
        for workflow in (ROOT / ".github/workflows").glob("*.yml")
        for line in re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8"))
    ]

    assert uses
    assert [] == [line for line in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", line)]


def test_the_commands_of_nox_are_described() -> None:
    """In CONTRIBUTING, all of them and no other."""
    sessions = re.findall(r"^@nox\.session\ndef (\w+)", _read("noxfile.py"), re.M)

    assert sessions == list(dict.fromkeys(re.findall(r"^\| `nox -s (\w+)`", _read("CONTRIBUTING.md"), re.M)))


def test_the_changelog_has_this_version() -> None:
    """What is not released yet stands first, then the versions, the newest before the older ones."""
    headings = re.findall(r"^## \[(.*?)\](?: - (\d{4}-\d\d-\d\d))?$", _read("CHANGELOG.md"), re.M)

    assert ("Unreleased", "") == headings[0]
    assert b24tools.__version__ == headings[1][0]
    assert sorted((date for _version, date in headings[1:]), reverse=True) == [date for _version, date in headings[1:]]


def test_the_wheelhouse_has_what_windows_needs() -> None:
    """Which pip does not see from here."""
    assert [] == build_wheelhouse.list_missed("linux", f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert ["colorama==0.4.6"] == build_wheelhouse.list_missed("win32", "3.13")


@pytest.mark.parametrize(("pythons", "named"), [(["3.11", "3.12", "3.13"], "3.11, 3.12 or 3.13"), (["3.12"], "3.12")])
def test_the_archive_of_the_wheelhouse(pythons: list[str], named: str, tmp_path: Path) -> None:
    """One folder; an installer that can be run, with its system's line ends, and takes the Pythons of the wheels."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/b24tools-1-py3-none-any.whl").write_bytes(b"wheel")
    build_wheelhouse.write_archive(tmp_path / "b24tools-1-wheelhouse.zip", tmp_path / "wheels", pythons)

    with ZipFile(tmp_path / "b24tools-1-wheelhouse.zip") as archive:
        files = {entry.filename: archive.read(entry).decode() for entry in archive.infolist()}
        rights = {entry.external_attr >> 16 for entry in archive.infolist()}
    folder = "b24tools-1-wheelhouse/"
    assert {
        f"{folder}{name}" for name in ("install.sh", "install.cmd", "LICENSE", "wheels/b24tools-1-py3-none-any.whl")
    } == {*files}
    assert {0o755} == rights
    for_unix, for_windows = files[folder + "install.sh"], files[folder + "install.cmd"]
    assert "\r" not in for_unix
    assert for_windows.count("\n") == for_windows.count("\r\n")
    assert f'case " {" ".join(pythons)} " in *' in for_unix
    assert f"({' '.join(pythons)})" in for_windows
    assert all(f"b24tools needs Python {named} " in text for text in (for_unix, for_windows))
    assert all(f"python{python}" in for_unix for python in PYTHONS)


@pytest.mark.long
def test_the_list_of_measurements_names_what_can_be_run() -> None:
    """But for what measures nothing by itself."""
    from tests.bench import __main__ as bench  # slow to load

    files = [file for file in (ROOT / "tests" / "bench").glob("[a-z]*.py") if "__main__" in file.read_text("utf-8")]

    measured = {file.stem for file in files} - {"__main__", "peers", "portal", "replaced", "year"}
    assert bench.PARTS.keys() | bench.ALONE.keys() == measured


@pytest.mark.long
def test_the_measurements_can_be_loaded() -> None:
    """What no test runs is at least there: each module of the bench, with all that it imports."""
    names = [f"tests.bench.{file.stem}" for file in sorted((ROOT / "tests" / "bench").glob("[a-z]*.py"))]
    code = f"import importlib; [importlib.import_module(name) for name in {names}]"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
