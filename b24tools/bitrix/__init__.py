"""The portal as we see it: transport, methods, directory."""

import sys

# With itself httpx loads its own command line, if rich, pygments and click are there: a sixth of all that a command of
# ours loads. Where that module cannot be had, httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
