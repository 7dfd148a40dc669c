"""`python -m b24tools`, and the `b24tools` command."""

from __future__ import annotations

import sys

from b24tools.cli import app
from b24tools.core import config, i18n


def main() -> None:
    """Choose the language of the environment or the settings, then run the command line."""
    i18n.use(config.choose_language())
    sys.exit(app.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
