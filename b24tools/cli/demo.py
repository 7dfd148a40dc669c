"""`b24tools demo`."""

from __future__ import annotations


def demo() -> int:
    """Show the whole story on a sandbox portal. Nothing has to be configured."""
    from b24tools.cli import demo_story

    return demo_story.run()
