"""Answers about what was recorded, in the shapes that charts, lists and numbers are drawn from."""

from __future__ import annotations

from collections import Counter
from typing import Any

from builtin_plugins.analytics.ledger import SECONDS, Step
from builtin_plugins.analytics.patterns import matches
from builtin_plugins.analytics.recorder import Recorder

FINE = 2
"""Up to how many hours are counted minute by minute; more are counted by whole hours, as each step is a read."""
SPLIT = 4
"""How many types a split series shows by themselves."""


def counts(recorder: Recorder, now: int, hours: int, pattern: str, limit: int) -> dict[str, Any]:
    """Return how many messages of each type came in the last *hours*, the most frequent first."""
    step: Step = "minute" if hours <= FINE else "hour"
    since = now - hours * SECONDS["hour"]
    since -= since % SECONDS[step]
    total: Counter[str] = Counter()
    for by_type in recorder.counts(step, since, now + 1).values():
        total.update({name: number for name, number in by_type.items() if matches(pattern, name)})
    items = [{"type": name, "count": number} for name, number in total.most_common(limit)]
    return {"since": since * 1000, "until": now * 1000, "total": total.total(), "types": len(total), "items": items}


def series(recorder: Recorder, now: int, step: Step, periods: int, pattern: str, *, split: bool) -> dict[str, Any]:
    """Return one point for each of the last *periods* steps, the present one included; *split* gives a line a type."""
    length = SECONDS[step]
    last = now - now % length
    starts = range(last - (periods - 1) * length, last + 1, length)
    found = recorder.counts(step, starts[0], last + length)
    if not split:
        values = {start: sum(n for name, n in by.items() if matches(pattern, name)) for start, by in found.items()}
        return {"kind": "bars", "step": step, "series": [_line("Messages", starts, values)]}
    total: Counter[str] = Counter()
    for by_type in found.values():
        total.update({name: number for name, number in by_type.items() if matches(pattern, name)})
    names = [name for name, _ in total.most_common(SPLIT)]
    lines = [_line(name, starts, {start: by[name] for start, by in found.items()}) for name in names]
    return {"kind": "line", "step": step, "series": lines}


def summary(recorder: Recorder, now: int) -> dict[str, Any]:
    """Return the numbers at a glance."""
    hour, day = (counts(recorder, now, hours, "*", 1) for hours in (1, 24))
    busiest = day["items"][0]["type"] if day["items"] else "none"
    items = [
        {"label": "Last hour", "value": hour["total"], "detail": "messages"},
        {"label": "Last day", "value": day["total"], "detail": "messages"},
        {"label": "A minute", "value": round(hour["total"] / 60, 1), "detail": "in the last hour"},
        {"label": "Types", "value": day["types"], "detail": f"most: {busiest}"},
    ]
    return {"items": items}


def recent(recorder: Recorder, limit: int) -> dict[str, Any]:
    """Return the newest messages, newest first."""
    newest = recorder.recent(limit)
    return {"items": [{"title": m["type"], "detail": f"from {m['source']}", "time": m["time"]} for m in newest]}


def top_types(recorder: Recorder, now: int, limit: int) -> dict[str, Any]:
    """Return the most frequent types of the last day as a list."""
    items = counts(recorder, now, 24, "*", limit)["items"]
    return {"items": [{"title": item["type"], "detail": f"{item['count']:,} times"} for item in items]}


def _line(label: str, starts: range, values: dict[int, int]) -> dict[str, Any]:
    return {"label": label, "points": [{"x": start * 1000, "y": values.get(start, 0)} for start in starts]}
