"""`python -m b24tools`, and the `b24tools` command."""

from __future__ import annotations

import gc
import sys

from b24tools import config, i18n


def main() -> None:
    """Choose the language, then run: help texts are made while the commands are imported."""
    gc.set_threshold(50_000)  # new objects between two searches for garbage: modules and answers are many, and stay
    i18n.use(config.language(sys.argv[1:]))
    from b24tools import cli

    status = cli.main(sys.argv[1:])
    gc.freeze()  # at the end Python would look for garbage in all there is, a sixth of a short command's time
    sys.exit(status)


if __name__ == "__main__":
    main()
