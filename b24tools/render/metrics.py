"""`/metrics`: numbers in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "b24tools_"
Value = float | None | Mapping[str, float]


def write_metrics(metrics: Iterable[tuple[str, str, Value]]) -> str:
    """Write name, help and value of each; a mapping of one label's values is written as `name{state="…"}`.

    What has no value is left out, as Prometheus has it; a name that ends in `_total` is a counter, any other a gauge.
    """
    lines = []
    for name, about, value in metrics:
        if value is None:
            continue
        name = PREFIX + name
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"]
        if isinstance(value, Mapping):
            lines += [f'{name}{{state="{state}"}} {count:.17g}' for state, count in sorted(value.items())]
        else:
            lines.append(f"{name} {value:.17g}")
    return "\n".join(lines) + "\n"
