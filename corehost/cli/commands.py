"""The group `corehost`, which imports a command only when it is asked for."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any

import click

from corehost import CorehostError, __version__
from corehost.cli.exits import ExitCode, exit_code_of
from corehost.cli.output import show_error

ENTRY_POINTS = "corehost.plugins"
# `corehost call` must not wait for Flask, nor `corehost serve` for the client: each command is a module of its own.
_HOMES = {
    "serve": "serve",
    "plugin": "plugin",
    "user": "user",
    "role": "role",
    "token": "token",
    "key": "key",
    "audit": "audit",
    "call": "call",
    "send": "message",
    "tail": "message",
    "doctor": "doctor",
}


class Commands(click.Group):
    """The host's own commands, and those that installed plugins add by ``corehost_commands``."""

    _asked = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the host's commands in the order of a first day, then the plugins' by name."""
        self._ask_plugins()
        return [*_HOMES, *sorted(self.commands.keys() - _HOMES.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; plugins are asked only for what the host does not know."""
        if cmd_name in _HOMES:
            command: click.Command = getattr(import_module(f"corehost.cli.{_HOMES[cmd_name]}"), cmd_name)
            return command
        self._ask_plugins()
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of the host becomes a text and an exit code, never a traceback."""
        try:
            return super().invoke(ctx)
        except CorehostError as error:
            show_error(ctx, error)
            ctx.exit(exit_code_of(error))

    def _ask_plugins(self) -> None:
        if self._asked:
            return
        self._asked = True
        for entry in metadata.entry_points(group=ENTRY_POINTS):
            try:
                hook = getattr(entry.load(), "corehost_commands", None)
                if callable(hook) and hasattr(hook, "corehost_impl"):  # pluggy's mark of an @hookimpl
                    hook(cli=self)
            except Exception as error:  # noqa: BLE001  # a broken plugin must not take the other commands away
                click.echo(f"The commands of plugin {entry.name!r} are left out: {error!r}", err=True)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="corehost")
def main() -> None:
    """A plugin host for Python web applications."""


main.epilog = "Exit codes: " + "; ".join(f"{code.value} {code.meaning}" for code in ExitCode) + "."
