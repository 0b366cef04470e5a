"""Read JSON from the command line."""

from __future__ import annotations

import json
import sys
from typing import Any

import click


class JsonText(click.ParamType[Any]):
    """A JSON value as an argument, or ``-`` for what standard input holds."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value that the text holds."""
        if not isinstance(value, str):
            return value
        text = sys.stdin.read() if value == "-" else value
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            self.fail(f"{text[:80]!r} is no JSON: {error}. Quote it for the shell, such as '{{\"a\": 1}}'.", param, ctx)
