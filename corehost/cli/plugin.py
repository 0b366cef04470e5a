"""`corehost plugin`: list plugins, look ahead, switch and reload them, check one, and write a new one."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from corehost.cli.bisect import bisect
from corehost.cli.connection import Target, target_options
from corehost.cli.exits import ExitCode
from corehost.cli.grants import consent, grant, list_grants, revoke
from corehost.cli.installs import install, remove, rollback, upgrade
from corehost.cli.output import json_option, pretty, show, table
from corehost.cli.planning import compare, plan, plan_text
from corehost.cli.signing import sign
from corehost.cli.skeleton import write_plugin
from corehost.cli.top import top


@click.group()
def plugin() -> None:
    """List plugins, switch them on and off, check one, write a new one."""


_CHANGING = (install, upgrade, rollback, remove)
_DECIDING = (list_grants, grant, revoke, consent)
for command in (top, *_CHANGING, plan, compare, bisect, *_DECIDING, sign):
    plugin.add_command(command)


@plugin.command("list")
@target_options
def list_plugins(target: Target) -> None:
    """List the plugins that the host knows."""
    with target.client() as host:
        items = host.plugins()
    rows = [(i["id"], _version(i), _status(i), i["source"]["type"], i.get("error") or _name(i)) for i in items]
    show({"items": items}, table(("ID", "VERSION", "STATUS", "SOURCE", "NAME"), rows))


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@target_options
def info(target: Target, plugin_id: str) -> None:
    """Show all about a plugin: manifest, methods, messages, pages, stores."""
    with target.client() as host:
        found = host.plugin(plugin_id)
    asleep = f"{plugin_id} is {_status(found)}: its first use loads it.\n" if _is_asleep(found) else ""
    show(found, asleep + pretty(found))


def _switch_options(command: Any) -> Any:
    command = click.option("--dry-run", is_flag=True, help="Only show what would happen.")(command)
    command = click.option("--cascade", is_flag=True, help="Take others along: what it needs, or what needs it.")(
        command
    )
    return click.argument("plugin_id", metavar="ID")(command)


@plugin.command()
@_switch_options
@target_options
def enable(target: Target, plugin_id: str, cascade: bool, dry_run: bool) -> None:
    """Enable a plugin, while the host serves."""
    _switch(target, plugin_id, "enabled", cascade, dry_run)


@plugin.command()
@_switch_options
@target_options
def disable(target: Target, plugin_id: str, cascade: bool, dry_run: bool) -> None:
    """Disable a plugin; refused if others need it, unless they shall go along."""
    _switch(target, plugin_id, "disabled", cascade, dry_run)


@plugin.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@target_options
def reload(target: Target, plugin_id: str, dry_run: bool) -> None:
    """Run a plugin's code as it is now; if that does not hold, the old goes on."""
    with target.client() as host:
        answer = host.set_status(plugin_id, "enabled", reload=True, dry_run=dry_run)
    show(answer, plan_text(answer["plan"]) if dry_run else f"{plugin_id} is reloaded.")


def _switch(target: Target, plugin_id: str, status: str, cascade: bool, dry_run: bool) -> None:
    with target.client() as host:
        answer = host.set_status(plugin_id, status, cascade=cascade, dry_run=dry_run)
    show(answer, plan_text(answer["plan"]) if dry_run else f"{plugin_id} is {answer['status']}.")


@plugin.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def check(ctx: click.Context, path: Path) -> None:
    """Load the plugin at PATH on a scratch host in memory, and name every fault. Its code runs."""
    # Late, as only this command needs a whole host.
    report = import_module("corehost.cli.checking").check_plugin(path)
    if report.faults:
        faults = "\n".join(f"  {fault['path'] or '/'}: {fault['message']}" for fault in report.faults)
        text = f"{report.plugin} has {len(report.faults)} fault(s):\n{faults}"
    else:
        offers = "\n".join(f"  {kind}: {', '.join(names)}" for kind, names in report.offers.items() if names)
        text = f"{report.plugin} {report.version} is well.\n{offers}".rstrip()
    show(asdict(report), text)
    ctx.exit(ExitCode.FAILED if report.faults else ExitCode.OK)


@plugin.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@json_option
def build(path: Path) -> None:
    """Write all that the plugin in the folder PATH contributes into its manifest.json. Its code runs."""
    built = import_module("corehost.cli.building").build_manifest(path)
    show(built, f"Wrote {path / 'manifest.json'}: {built['id']} {built['version']}.")


@plugin.command()
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), default=Path(), help="Folder to write into; else this one.")
@json_option
def new(name: str, into: Path) -> None:
    """Write a small working plugin, with its tests, into the new folder NAME."""
    folder = into / name
    files = write_plugin(name, folder)
    package = name.replace("-", "_")
    lines = [*(f"  {file}" for file in files), "", f"Try it: corehost serve --plugins {folder}"]
    lines += [f"        corehost plugin check {folder / package}", f"        cd {folder} && pytest"]
    show({"id": name, "files": [str(file) for file in files]}, "\n".join(["Written:", *lines]))


def _version(item: dict[str, Any]) -> str:
    return str((item["manifest"] or {}).get("version", ""))


def _is_asleep(item: dict[str, Any]) -> bool:
    return item["status"] == "enabled" and not item["loaded"]


def _status(item: dict[str, Any]) -> str:
    word = "enabled, not loaded yet" if _is_asleep(item) else str(item["status"])
    return f"{word}, awaits consent" if item.get("awaits") else word


def _name(item: dict[str, Any]) -> str:
    return str((item["manifest"] or {}).get("name", ""))
