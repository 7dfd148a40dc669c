"""`python -m b24tools`, and the `b24tools` command."""

from __future__ import annotations

import gc
import sys

gc.set_threshold(200_000)  # modules and a portal's answers are many, and stay: searching them often finds nothing


def main() -> None:
    """Choose the language of the environment or the settings, then run the command line."""
    try:
        from b24tools.cli import app
        from b24tools.core import config, i18n

        i18n.use(config.choose_language())
        status = app.main(sys.argv[1:])
    except KeyboardInterrupt:  # while it is loading
        status = 130
    gc.freeze()  # or Python would search them all once more at the end: a sixth of a short command's time
    sys.exit(status)


if __name__ == "__main__":
    main()
