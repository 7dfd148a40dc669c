"""In which sequence the operations of an order are done."""

from __future__ import annotations

from collections.abc import Sequence

from b24tools.core.names import same_name


def stages(operations: Sequence[tuple[str, int | None]], route: Sequence[str]) -> list[int | None]:
    """The stage of each operation, given as (position, its own number or None).

    An operation starts when all of the lower stages have ended; one without a stage at once. Numbers
    of the order itself replace the route, which names positions in sequence; nothing but zeros is what
    1C sends of numbers that were not filled in.
    """
    if any(number for _position, number in operations):
        return [number for _position, number in operations]
    places = {same_name(position): place for place, position in reversed(list(enumerate(route)))}
    return [places.get(same_name(position)) for position, _number in operations]
