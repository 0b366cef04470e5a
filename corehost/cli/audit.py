"""`corehost audit`: who did what on a host."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.output import wants_json
from corehost.client import HostClient

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PAUSE: Final = 1.0


class Begin(click.ParamType[float]):
    """A time such as ``2026-11-24``, or how long ago such as ``12h``; in seconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read *value*."""
        if isinstance(value, float):
            return value
        if found := re.fullmatch(r"(\d{1,6})([smhdw])", value):
            return time.time() - int(found[1]) * _UNITS[found[2]]
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-11-24, 2026-11-24T12:00 or 12h.", param, ctx)
        return moment.astimezone().timestamp() if moment.tzinfo is None else moment.timestamp()


@click.command()
@click.option("--follow", is_flag=True, help="Go on as new entries come.")
@click.option("--since", "begin", type=Begin(), help="Only from this time on, such as 2026-11-24 or 12h.")
@click.option("--action", help="Only actions that begin so, such as grant: or user:sign-in.")
@click.option("--actor", help="Only what this one did, such as user:ann.")
@click.option("--subject", help="Only what was done to this, such as a plugin's id.")
@click.option("--outcome", type=click.Choice(("done", "refused", "failed")), help="Only what ended so.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True, help="At most so many.")
@target_options
def audit(target: Target, follow: bool, begin: float | None, limit: int, **filters: str | None) -> None:
    """Show who did what on the host, oldest first; with --json one entry a line."""
    wanted: dict[str, Any] = {**filters, "begin": begin}
    with target.client() as host:
        entries = list(reversed(_read(host, limit=limit, **wanted)))
        _print(entries)
        last = entries[-1]["number"] if entries else 0
        while follow:
            time.sleep(_PAUSE)
            last = _print_newer(host, last, wanted)


def _print_newer(host: HostClient, last: int, wanted: dict[str, Any]) -> int:
    entries = _read(host, limit=1_000, since=last, **wanted)
    _print(entries)
    return int(entries[-1]["number"]) if entries else last


def _read(host: HostClient, **wanted: Any) -> list[dict[str, Any]]:
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    return list(host.ask("GET", f"/api/audit?{query}")["items"])


def _print(entries: Iterable[dict[str, Any]]) -> None:
    for entry in entries:
        click.echo(json.dumps(entry, ensure_ascii=False) if wants_json() else _line(entry))


def _line(entry: dict[str, Any]) -> str:
    moment = datetime.fromtimestamp(entry["at"], UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    times = f" ×{entry['count']}" if entry["count"] > 1 else ""  # noqa: RUF001  # the sign for "times"
    detail = " ".join(f"{key}={value}" for key, value in entry["detail"].items())
    text = f"{moment}  {entry['outcome']:<7}  {entry['actor']}  {entry['action']}{times}  {entry['subject']}  {detail}"
    # Strangers choose some of these texts: nothing in them may move the terminal's cursor.
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text).rstrip()
