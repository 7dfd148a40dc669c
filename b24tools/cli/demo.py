"""`b24tools demo`."""

from __future__ import annotations

from b24tools.cli.localized import explain


@explain(("demo", "Takes some seconds, and leaves nothing behind."))
def demo() -> int:
    """Show the whole story on a sandbox portal. Nothing has to be configured."""
    from b24tools.cli import demo_story

    return demo_story.run()
