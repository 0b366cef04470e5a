"""`corehost plugin plan|compare`: say what a change would do, and what of a new version others would notice."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.exits import ExitCode
from corehost.cli.installs import source_for
from corehost.cli.output import json_option, show
from corehost.client import HostClient
from corehost.contract.errors import InvalidError

_CHANGES = ("enable", "disable", "reload", "upgrade", "remove")


@click.command()
@click.argument("change", type=click.Choice(_CHANGES))
@click.argument("plugin_id", metavar="ID")
@click.argument("source", required=False)
@click.option("--cascade", is_flag=True, help="As if others were taken along: what it needs, or what needs it.")
@target_options
@click.pass_context
def plan(ctx: click.Context, target: Target, change: str, plugin_id: str, source: str | None, cascade: bool) -> None:
    """Show what a change would do, what stands in its way and whom it would break; nothing is changed.

    SOURCE is for an upgrade: the new version is tried in another process. The exit code tells whether it could be done.
    """
    if source is not None and change != "upgrade":
        raise InvalidError(f"Only an upgrade has a SOURCE. Leave {source!r} out.")
    with target.client() as host:
        answer = _asked(host, target, change, plugin_id, source, cascade)
    show(answer, plan_text(answer["plan"]))
    ctx.exit(ExitCode.FAILED if answer["plan"]["obstacles"] or answer["plan"]["breaks"] else ExitCode.OK)


def _asked(
    host: HostClient, target: Target, change: str, plugin_id: str, source: str | None, cascade: bool
) -> dict[str, Any]:
    if change == "upgrade":
        name, archive = (None, None) if source is None else source_for(target, source)
        answer: dict[str, Any] = host.plan_upgrade(plugin_id, name, archive=archive)
    elif change == "remove":
        answer = host.plan_remove(plugin_id, cascade=cascade)
    else:
        status = "disabled" if change == "disable" else "enabled"
        answer = host.set_status(plugin_id, status, cascade=cascade, dry_run=True, reload=change == "reload")
    return answer


def plan_text(plan: dict[str, Any]) -> str:
    """Return a plan as a person reads it, one line for each thing that would be done or hinders it."""
    lines = []
    if step := plan.get("upgrade"):
        lines.append(f"upgrade  {step['before'] or '?'} to {step['after']}")
    lines += [f"unload   {name}" for name in plan["unload"]]
    lines += [f"load     {name}" for name in plan["load"]]
    lines += [_request_text(one) for one in plan["requests"]]
    lines += [f"package  {text}" for text in plan["packages"]]
    lines += [f"obstacle {text}" for text in plan["obstacles"]]
    lines += [f"breaks   {', '.join(one['consumers'])}: {one['text']}" for one in plan["breaks"]]
    lines += [f"note     {text}" for text in plan["warnings"]]
    return "\n".join(lines) or "Nothing would change."


def _request_text(request: dict[str, Any]) -> str:
    """Return what a plugin asks for; what somebody must agree to first stands out."""
    word = "consent " if request["awaits"] else "asks    "
    return f"{word} {request['plugin']} asks for {request['permission']}: {request['meaning']}"


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def compare(ctx: click.Context, old: Path, new: Path) -> None:
    """Compare the plugin at OLD with its new version at NEW, for whoever uses it; the code of both runs.

    The exit code is 1 if the version number does not announce what has changed: a break needs a new major version
    (below 1.0.0 a minor one), something new a minor one.
    """
    # Late, as only this command and "check" need a whole host.
    found = import_module("corehost.cli.comparing").compare_plugins(old, new)
    lines = [f"{change.kind:9} {change.text}" for change in found.changes] or ["Nothing that others could notice."]
    if not found.announced:
        step = f"The step from {found.before} to {found.after}"
        lines.append(f"{step} does not announce this: a {found.bump} one is due.")
    show(asdict(found), "\n".join(lines))
    ctx.exit(ExitCode.OK if found.announced else ExitCode.FAILED)
