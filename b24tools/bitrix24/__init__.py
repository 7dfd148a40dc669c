"""The portal as we see it: transport, methods, directory."""

import sys

# Where rich and click are installed, as they are with us, httpx loads both for a command line of its own: an eighth of
# the start of each of ours that calls the portal. None makes that import fail, for which httpx is prepared.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
