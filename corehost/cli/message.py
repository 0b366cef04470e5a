"""`corehost send` and `corehost tail`: publish a message, and follow the bus."""

from __future__ import annotations

import contextlib
import itertools
import json
from datetime import UTC, datetime
from typing import Any

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.output import show, wants_json
from corehost.cli.reading import JsonText


@click.command()
@click.argument("type")
@click.argument("payload", type=JsonText(), required=False)
@click.option("--target", "to", metavar="TARGET", help="Only for this plugin id, user:<id> or session:<id>.")
@target_options
def send(target: Target, type: str, payload: object, to: str | None) -> None:
    """Publish a message of TYPE with PAYLOAD, a JSON value or '-' for standard input."""
    with target.client() as host:
        message = host.send(type, payload, target=to)
    show(message, f"Sent {message['type']} as {message['id']}.")


@click.command()
@click.argument("pattern", default="*")
@click.option("--since", metavar="CURSOR", help="Begin with what came after this cursor.")
@click.option("--count", "-n", type=click.IntRange(min=1), help="End after so many messages.")
@target_options
def tail(target: Target, pattern: str, since: str | None, count: int | None) -> None:
    """Follow the messages whose type matches PATTERN, in which '*' stands for any run of characters.

    A lost connection is made anew and goes on where it was. Ends on Ctrl-C.
    """
    with target.client() as host, contextlib.suppress(KeyboardInterrupt):
        for entry in itertools.islice(host.follow(pattern, since=since), count):
            click.echo(json.dumps(entry, ensure_ascii=False) if wants_json() else _line(entry))


def _line(message: dict[str, Any]) -> str:
    if "gap" in message:
        return "-- messages were lost here: the host no longer had them --"
    at = datetime.fromtimestamp(message["timestamp"] / 1000, tz=UTC).astimezone()
    payload = json.dumps(message["payload"], ensure_ascii=False)
    return f"{at:%H:%M:%S.%f}"[:-3] + f"  {message['source']}  {message['type']}  {payload}"
