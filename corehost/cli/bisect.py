"""`corehost plugin bisect`: find the plugin behind a problem, while the host serves."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from corehost.cli.bisection import Bisection, Finding
from corehost.cli.connection import Target, target_options
from corehost.cli.exits import ExitCode
from corehost.cli.output import show
from corehost.client import HostClient
from corehost.contract.errors import ConflictError, CorehostError

_PAUSE = 0.2
_CANNOT_TELL = 125
_CANNOT_RUN = 126
"""From here on a shell means that the command could not be run, or was ended."""


@click.command()
@click.option("--command", metavar="CMD", help="Run CMD to see: exit status 0 is well, 1 to 124 is the problem.")
@click.option("--all", "with_builtins", is_flag=True, help="Suspect the built-in plugins, too.")
@target_options
@click.pass_context
def bisect(ctx: click.Context, target: Target, command: str | None, with_builtins: bool) -> None:
    """Find which plugin causes a problem, by switching off half of the suspects again and again.

    Each time you are asked whether the problem is there, or CMD tells; 125 means that it cannot. At the end, whatever
    that is, everything is switched as it was.
    """
    see = _asks if command is None else lambda: _runs(command)
    with target.client() as host, _interruptible():
        live = _Live(host, with_builtins=with_builtins)
        try:
            finding = Bisection(live.suspects, live.needs, lambda enabled: live.try_with(enabled, see)).run()
        finally:
            live.restore()
    show({"suspects": live.suspects, **asdict(finding)}, _told(finding, live.suspects, with_builtins))
    ctx.exit(ExitCode.OK if finding.culprits else ExitCode.FAILED)


class _Live:
    """The plugins of a running host that are on and may be switched off; each comes after those that it needs."""

    def __init__(self, host: HostClient, *, with_builtins: bool) -> None:
        self._host = host
        enabled = [item for item in host.plugins() if item["status"] == "enabled"]
        self.needs = {item["id"]: _needs_of(item) for item in enabled}
        suspects = {i["id"] for i in enabled if with_builtins or i["source"]["type"] != "builtin"}
        # What a plugin needs that stays on must stay on, too.
        kept = [item["id"] for item in enabled if item["id"] not in suspects]
        while kept:
            further = [name for name in self.needs.get(kept.pop(), ()) if name in suspects]
            suspects.difference_update(further)
            kept += further
        self.suspects = [item["id"] for item in enabled if item["id"] in suspects]
        self._on = set(self.suspects)

    def try_with(self, enabled: frozenset[str], see: Callable[[], bool]) -> bool:
        """Have only *enabled* of the suspects on, and see."""
        self._switch(enabled)
        click.echo(f"On: {', '.join(n for n in self.suspects if n in enabled) or 'none of the suspects'}.", err=True)
        return see()

    def restore(self) -> None:
        """Switch everything on that was on; no signal comes in between."""
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._switch(frozenset(self.suspects))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _switch(self, wanted: frozenset[str]) -> None:
        failures: list[str] = []
        for name in reversed(self.suspects):
            if name in self._on and name not in wanted:
                self._host.set_status(name, "disabled")
                self._on.discard(name)
        for name in self.suspects:
            if name in wanted and name not in self._on:
                self._on.add(name)
                try:
                    self._enable(name)
                except CorehostError as error:  # the others must come back all the same
                    failures.append(error.text)
        if failures:
            raise ConflictError(f"Not all could be switched on again. {' '.join(failures)}")

    def _enable(self, name: str) -> None:
        status = self._host.set_status(name, "enabled")["status"]
        while status in ("loading", "loaded", "unloading"):
            time.sleep(_PAUSE)
            status = self._host.plugin(name)["status"]
        if status != "enabled":
            raise ConflictError(f"Plugin {name!r} is {status}.")


def _needs_of(item: dict[str, Any]) -> list[str]:
    dependencies = (item["manifest"] or {}).get("dependencies", ())
    return [one["pluginId"] for one in dependencies if not one.get("optional")]


def _asks() -> bool:
    answer = click.prompt("Is the problem there?", type=click.Choice(("y", "n", "q")), err=True)
    if answer == "q":
        raise click.Abort
    return bool(answer == "y")


def _runs(command: str) -> bool:
    status = subprocess.run(command, shell=True, check=False).returncode  # noqa: S602  # the operator's own command
    if status == _CANNOT_TELL or not 0 <= status < _CANNOT_RUN:
        raise ConflictError(f"The command ended with {status}, which says neither yes nor no. Nothing was found out.")
    click.echo("  well" if status == 0 else "  the problem is there", err=True)
    return status != 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the search as Ctrl-C does, so that everything is switched back."""

    def end(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(finding: Finding, suspects: list[str], with_builtins: bool) -> str:
    again = "" if with_builtins else " With --all the built-in ones are suspects, too."
    if finding.persists:
        return f"No plugin causes it: it is there with {len(suspects)} suspect(s) off.{again}"
    if not finding.culprits:
        return f"The problem is not there now, with all {len(suspects)} suspect(s) on. Start when it is."
    text = f"It is {finding.culprits[0]}."
    if len(finding.culprits) > 1:
        *rest, last = sorted(finding.culprits)
        text = f"It takes {', '.join(rest)} and {last} together."
    if finding.others:
        text += f" It is there without {finding.culprits[0]}, too: disable that, and start again for the next."
    return text
