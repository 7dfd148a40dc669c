"""`python -m b24tools`, and the `b24tools` command."""

from __future__ import annotations

import sys

from b24tools import config, i18n


def main() -> None:
    """Choose the language, then run: help texts are made while the commands are imported."""
    i18n.use(config.language(sys.argv[1:]))
    from b24tools import cli

    sys.exit(cli.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
