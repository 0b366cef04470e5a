"""`corehost call`: call a plugin's method."""

from __future__ import annotations

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.output import pretty, show
from corehost.cli.reading import JsonText


@click.command()
@click.argument("plugin")
@click.argument("method")
@click.argument("input", type=JsonText(), required=False)
@target_options
def call(target: Target, plugin: str, method: str, input: object) -> None:
    """Call METHOD of PLUGIN with INPUT, a JSON value or '-' for standard input, and print the result."""
    with target.client() as host:
        result = host.call(plugin, method, input)
    show(result, pretty(result))
