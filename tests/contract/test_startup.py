"""What a command loads before it begins: the heavy libraries come only where they are needed."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_package_starts_nothing_heavy() -> None:
    """The commands are there before the HTTP client, the web framework, the database or the tables are."""
    heavy = {
        "httpx",
        "ssl",
        "truststore",
        "fastapi",
        "starlette",
        "uvicorn",
        "sqlite_utils",
        "rich",
        "diskcache",
        "holidays",
    }
    code = f"import sys, b24tools.cli.app; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == done.stdout
