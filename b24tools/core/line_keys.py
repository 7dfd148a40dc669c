"""By what a line of an order is found again: its key, which its task carries, and the number for it in the database.

`onec.task_fields` makes the keys: `1c:`, the order's GUID, a colon and a digest of the position; of an order without a
GUID `1c:` and a longer digest.
"""

from __future__ import annotations

from hashlib import sha256

KEY_PREFIX = "1c:"
KEY_WIDTH = 50  # of the column behind XML_ID


def number_line(key: str) -> int:
    """Return what stands for a line's key: 63 bits of its digest, the same wherever it is worked out."""
    return int.from_bytes(sha256(key.encode()).digest()[:8]) >> 1


def split_key(key: str) -> tuple[str, str]:
    """Return the order's GUID and the end of a key that has both; else "" and the key."""
    order_id, colon, end = key.rpartition(":")
    return (order_id.removeprefix(KEY_PREFIX), end) if order_id.startswith(KEY_PREFIX) and colon else ("", key)
