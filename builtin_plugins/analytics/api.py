"""The methods by which others ask what was recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from builtin_plugins.analytics import reports
from builtin_plugins.analytics.recorder import Recorder
from corehost import ApiDocumentation, ApiExample, ApiSpec, Method, MethodContext, MethodDocumentation

_PATTERN = {"type": "string", "minLength": 1, "maxLength": 200, "description": "Message type; * for any characters."}
_POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "required": ["x", "y"]}
_ITEMS = {"type": "object", "properties": {"items": {"type": "array"}}, "required": ["items"]}


def _input(**properties: Any) -> dict[str, Any]:
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


_COUNTS_INPUT = _input(
    hours={"type": "integer", "minimum": 1, "maximum": 8784},
    type=_PATTERN,
    limit={"type": "integer", "minimum": 1, "maximum": 500},
)
_SERIES_INPUT = _input(
    step={"type": "string", "enum": ["minute", "hour", "day"]},
    periods={"type": "integer", "minimum": 1, "maximum": 1440},
    type=_PATTERN,
    split={"type": "boolean"},
)
_COUNTS_OUTPUT = {
    "type": "object",
    "properties": {
        "since": {"type": "integer"},
        "until": {"type": "integer"},
        "total": {"type": "integer"},
        "types": {"type": "integer"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "count": {"type": "integer"}},
                "required": ["type", "count"],
            },
        },
    },
    "required": ["since", "until", "total", "types", "items"],
}
_SERIES_OUTPUT = {
    "type": "object",
    "properties": {
        "kind": {"type": "string"},
        "step": {"type": "string"},
        "series": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"label": {"type": "string"}, "points": {"type": "array", "items": _POINT}},
                "required": ["label", "points"],
            },
        },
    },
    "required": ["kind", "step", "series"],
}
_EXAMPLE_COUNTS = {
    "since": 1_700_000_000_000,
    "until": 1_700_003_600_000,
    "total": 12,
    "types": 1,
    "items": [{"type": "clock:tick", "count": 12}],
}
DOCS = ApiDocumentation(
    title="Analytics API",
    description="What passed over the bus, by type and time. Times are milliseconds since the epoch.",
    methods={
        "getCounts": MethodDocumentation(
            summary="How many messages of each type",
            description="Of the last hours (24 unless said otherwise), the most frequent types first.",
            examples=(
                ApiExample(
                    title="The clock's, last hour", input={"hours": 1, "type": "clock:*"}, output=_EXAMPLE_COUNTS
                ),
            ),
        ),
        "getSeries": MethodDocumentation(
            summary="How many messages by time",
            description="One point a minute, hour or day (UTC), the present one last; split gives a series a type.",
        ),
        "getSummary": MethodDocumentation(summary="The numbers at a glance"),
        "getRecent": MethodDocumentation(summary="The newest messages, without their payload"),
        "getTopTypes": MethodDocumentation(summary="The most frequent types of the last day, as a list"),
    },
)


def api_spec(recorder: Recorder) -> ApiSpec:
    """Return the methods, working on *recorder*."""
    return ApiSpec(version="1.0.0", methods={**_questions(recorder), **_widget_data(recorder)}, docs=DOCS)


def _questions(recorder: Recorder) -> dict[str, Method]:
    def get_counts(input: Mapping[str, Any] | None, context: MethodContext) -> dict[str, Any]:
        asked = {"hours": 24, "type": "*", "limit": 100, **(input or {})}
        return reports.counts(recorder, _now(), asked["hours"], asked["type"], asked["limit"])

    def get_series(input: Mapping[str, Any] | None, context: MethodContext) -> dict[str, Any]:
        asked = {"step": "hour", "periods": 24, "type": "*", "split": False, **(input or {})}
        return reports.series(recorder, _now(), asked["step"], asked["periods"], asked["type"], split=asked["split"])

    return {
        "getCounts": Method(
            changes=False,
            handler=get_counts,
            description="How many messages of each type came in the last hours.",
            input_schema=_COUNTS_INPUT,
            output_schema=_COUNTS_OUTPUT,
        ),
        "getSeries": Method(
            changes=False,
            handler=get_series,
            description="How many messages came in each minute, hour or day.",
            input_schema=_SERIES_INPUT,
            output_schema=_SERIES_OUTPUT,
        ),
    }


def _widget_data(recorder: Recorder) -> dict[str, Method]:
    def get_summary(input: Any, context: MethodContext) -> dict[str, Any]:
        return reports.summary(recorder, _now())

    def get_recent(input: Mapping[str, Any] | None, context: MethodContext) -> dict[str, Any]:
        return reports.recent(recorder, (input or {}).get("limit", 20))

    def get_top_types(input: Mapping[str, Any] | None, context: MethodContext) -> dict[str, Any]:
        return reports.top_types(recorder, _now(), (input or {}).get("limit", 10))

    limited = _input(limit={"type": "integer", "minimum": 1, "maximum": 50})
    texts = {
        "getSummary": (get_summary, "The numbers at a glance.", _input()),
        "getRecent": (get_recent, "The newest messages.", limited),
        "getTopTypes": (get_top_types, "The most frequent types of the last day.", limited),
    }
    return {
        name: Method(handler=handler, description=text, input_schema=schema, output_schema=_ITEMS, changes=False)
        for name, (handler, text, schema) in texts.items()
    }


def _now() -> int:
    return int(time.time())
