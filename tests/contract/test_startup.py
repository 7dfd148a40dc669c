"""What a command loads before it begins: the heavy libraries come only where they are needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


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
        "psycopg",
        "holidays",
    }
    code = f"import sys, b24tools.cli.app; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == done.stdout


def test_a_file_needs_nothing_of_a_server(tmp_path: Path) -> None:
    """Who has no B24_DATABASE_URL waits neither for psycopg nor for what speaks to it."""
    code = (
        "import sys; from pathlib import Path; from b24tools.store import open_store;"
        f"open_store(Path({str(tmp_path / 'b24tools.db')!r})).close();"
        "ours = ('psycopg', 'b24tools.store.postgres', 'b24tools.store.shared');"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_ctrl_c_while_it_loads_is_no_traceback() -> None:
    """Later it is said that running it again is safe; here nothing has begun."""
    code = (
        "from b24tools.__main__ import main; from b24tools.core import config;"
        "config.choose_language = lambda: (_ for _ in ()).throw(KeyboardInterrupt); main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)
