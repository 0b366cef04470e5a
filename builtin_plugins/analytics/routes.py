"""The page with charts, and its place in the menu."""

from __future__ import annotations

import time

from flask import request

from builtin_plugins.analytics import reports
from builtin_plugins.analytics.recorder import Recorder
from corehost import NavigationItem, Page, Route, RouteMeta, RoutesSpec, page

RANGES = {
    "1h": {"label": "1 hour", "step": "minute", "periods": 60, "hours": 1},
    "24h": {"label": "24 hours", "step": "hour", "periods": 24, "hours": 24},
    "7d": {"label": "7 days", "step": "hour", "periods": 168, "hours": 168},
    "30d": {"label": "30 days", "step": "day", "periods": 30, "hours": 720},
}


def routes_spec(recorder: Recorder) -> RoutesSpec:
    """Return the routes, working on *recorder*."""

    def overview() -> Page:
        chosen = request.args.get("range", "24h")
        chosen = chosen if chosen in RANGES else "24h"
        summary = reports.summary(recorder, int(time.time()))
        return page("analytics.html", ranges=RANGES, chosen=chosen, summary=summary["items"])

    return RoutesSpec(
        base_path="/analytics",
        routes=(
            Route(
                path="/",
                view=overview,
                meta=RouteMeta(title="Analytics", description="What passes over the bus", icon="graph-up", order=2),
            ),
        ),
        navigation=(NavigationItem(id="analytics", label="Analytics", path="/analytics", icon="graph-up", order=2),),
    )
