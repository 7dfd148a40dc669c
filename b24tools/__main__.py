"""`python -m b24tools`, and the `b24tools` command."""

from __future__ import annotations

import gc
import sys

from b24tools import config, i18n


def main() -> None:
    """Choose the language, then run: help texts are made while the commands are imported."""
    # New objects between two searches for garbage: modules and answers are a hundred thousand that stay.
    gc.set_threshold(50_000)
    i18n.use(config.language(sys.argv[1:]))
    from b24tools import cli

    sys.exit(cli.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
