"""Build the archive for a network without the internet: `python -m scripts.build_wheelhouse [FOLDER]`.

`b24tools-VERSION-wheelhouse.zip` has the wheels of b24tools and of all it needs, and installers that ask no index, for
Linux and Windows on x86-64 and every Python that b24tools takes. The libraries have the tested versions, the lock's.
Only this script needs the internet, or an index of one's own.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from packaging.requirements import Requirement

from b24tools import __version__

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements-dev.txt"
INSTALLERS = ROOT / "packaging" / "wheelhouse"
PLATFORMS = {
    "linux": ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64"),
    "win32": ("win_amd64",),
}
EXECUTABLE = 0o755 << 16  # where ZIP notes the rights of Unix


def list_pythons() -> list[str]:
    """List the Pythons that b24tools takes, as `3.11`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.M)


def list_missed(system: str, python: str) -> list[str]:
    """List what is needed there but not here, from the lock: pip asks the markers about the Python that runs it."""
    there = {
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "win32": "Windows"}[system],
        "os_name": {"linux": "posix", "win32": "nt"}[system],
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    wanted = []
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if ";" in line:
            requirement = Requirement(line)
            if requirement.marker and requirement.marker.evaluate(there) and not requirement.marker.evaluate():
                wanted.append(f"{requirement.name}{requirement.specifier}")
    return wanted


def run_pip(*arguments: str) -> None:
    """Run pip; raises CalledProcessError after pip has said why."""
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet"], check=True)  # noqa: S603 - our own words


def collect_wheels(folder: Path, systems: Iterable[str], pythons: Iterable[str]) -> None:
    """Put the wheels of b24tools and of all it needs into the folder."""
    run_pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (own,) = folder.glob("b24tools-*.whl")
    for system in systems:
        for python in pythons:
            target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
            target += [word for name in PLATFORMS[system] for word in ("--platform", name)]
            what = ["--constraint", str(LOCK), str(own), *list_missed(system, python)]
            run_pip("download", "--dest", str(folder), *target, *what)


def write_archive(path: Path, wheels: Path, pythons: Sequence[str]) -> None:
    """Write the zip: one folder with the installers, the licence, and the wheels in `wheels/`, for these Pythons."""
    *names, last = pythons
    named = f"{', '.join(names)} or {last}" if names else last
    with ZipFile(path, "w") as archive:
        for file in [*sorted(INSTALLERS.iterdir()), ROOT / "LICENSE", *sorted(wheels.iterdir())]:
            content = file.read_bytes()
            if file.parent == INSTALLERS:
                content = content.replace(b"@PYTHONS@", " ".join(pythons).encode()).replace(b"@NAMES@", named.encode())
            if file.suffix == ".cmd":
                content = content.replace(b"\n", b"\r\n")
            within = "wheels/" if file.suffix == ".whl" else ""
            entry = ZipInfo(f"{path.stem}/{within}{file.name}", (2026, 1, 1, 0, 0, 0))
            entry.external_attr = EXECUTABLE
            archive.writestr(entry, content)


def main(arguments: list[str]) -> None:
    """Build the archive that the command line asks for, and say where it is."""
    pythons = list_pythons()
    parser = argparse.ArgumentParser(
        prog="python -m scripts.build_wheelhouse", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--system", choices=PLATFORMS, action="append", help="only for this one, for a smaller archive")
    parser.add_argument("--python", choices=pythons, action="append", help="only for this one, likewise")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"b24tools-{__version__}-wheelhouse.zip"
    with tempfile.TemporaryDirectory() as folder:
        wanted = [python for python in pythons if python in (options.python or pythons)]
        collect_wheels(Path(folder), options.system or PLATFORMS, wanted)
        write_archive(path, Path(folder), wanted)
    size = path.stat().st_size / 1024 / 1024
    print(f"{path}: {size:.0f} MiB, SHA-256 {sha256(path.read_bytes()).hexdigest()}")  # noqa: T201 - a tool's output


if __name__ == "__main__":
    main(sys.argv[1:])
