"""The hook by which other plugins put widgets on the dashboard."""

from __future__ import annotations

from typing import Any

from corehost import UserContext, hookspec


@hookspec
def dashboard_widgets(user: UserContext | None) -> list[dict[str, Any]]:
    """Return the widgets that *user* may add; asked whenever a dashboard is shown, so be quick.

    Mark yours ``@hookimpl(optionalhook=True)``, so that your plugin loads without the dashboard, too. A widget is
    ``{"id", "type", "title", "method"}`` and, where wanted, ``description``, ``icon``, ``input`` (of the method),
    ``updates`` (message patterns upon which the browser asks the method again) and ``size`` (``{"w", "h"}``).
    ``method`` names a method of your plugin; browsers call it as the user who looks. What it returns depends on
    the type: ``statistics`` ``{"items": [{"label", "value", "detail"?}]}``; ``chart`` ``{"kind": "bars" | "line",
    "series": [{"label", "points": [{"x": ms | text, "y"}]}]}``; ``list`` ``{"items": [{"title", "detail"?,
    "time"?, "href"?}]}``; ``text`` ``{"text"}``.
    """
    raise NotImplementedError
