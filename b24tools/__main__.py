"""`python -m b24tools`, and the `b24tools` command."""

from __future__ import annotations

import gc
import sys

OBJECTS = 200_000  # made between two searches for garbage: modules and a portal's answers are many, and stay


def main() -> None:
    """Choose the language, then run: help texts are made while the commands are imported."""
    gc.set_threshold(OBJECTS)
    from b24tools.core import config, i18n

    i18n.use(config.language(sys.argv[1:]))
    from b24tools.cli import app

    status = app.main(sys.argv[1:])
    gc.freeze()  # or Python would search all there is once more at the end: a sixth of a short command's time
    sys.exit(status)


if __name__ == "__main__":
    main()
