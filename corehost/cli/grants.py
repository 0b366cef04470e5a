"""`corehost plugin grants|grant|revoke|consent`: what a plugin may do, and who decides on it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.output import show, table
from corehost.client import HostClient
from corehost.contract.errors import NotAllowedError


@click.command("grants")
@click.argument("plugin_id", metavar="ID")
@target_options
def list_grants(target: Target, plugin_id: str) -> None:
    """Show what a plugin asks for, in words, and what of it is granted."""
    with target.client() as host:
        document = _read(host, plugin_id)
    show(document, _listed(document))


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.argument("permissions", metavar="PERMISSION...", nargs=-1, required=True)
@target_options
def grant(target: Target, plugin_id: str, permissions: tuple[str, ...]) -> None:
    """Let a plugin do what it asks for, from this moment on."""
    _decide(target, plugin_id, dict.fromkeys(permissions, True))


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.argument("permissions", metavar="PERMISSION...", nargs=-1, required=True)
@target_options
def revoke(target: Target, plugin_id: str, permissions: tuple[str, ...]) -> None:
    """Take from a plugin what it was granted, from this moment on."""
    _decide(target, plugin_id, dict.fromkeys(permissions, False))


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Agree without being asked.")
@target_options
def consent(target: Target, plugin_id: str, yes: bool) -> None:
    """Agree to all that a plugin waits for; it is loaded then."""
    with target.client() as host:
        document = _read(host, plugin_id)
        if not document["awaits"]:
            show(document, f"{plugin_id} waits for nobody's consent.")
            return
        document = agree(host, plugin_id, yes=yes)
    show(document, f"{plugin_id} is {document['status'] or 'ready to be installed'}.")


def agree(host: HostClient, plugin_id: str, *, yes: bool) -> dict[str, Any]:
    """Ask the person to agree to all that a plugin waits for, unless they said *yes* before, and return its grants.

    Raises ``NotAllowedError`` if they do not.
    """
    document = _read(host, plugin_id)
    awaited = document["awaits"]
    meanings = {item["permission"]: item["meaning"] for item in document["items"]}
    asked = "\n".join(f"  {name}: {meanings[name]}" for name in awaited)
    if not yes and not click.confirm(f"{document['name']} may then:\n{asked}\nAgree?", err=True):
        raise NotAllowedError(f"You did not agree, so {plugin_id!r} goes on waiting.")
    # What was shown is what is agreed to, and not what it may ask for by now.
    return _write(host, plugin_id, dict.fromkeys(awaited, True))


def _decide(target: Target, plugin_id: str, decisions: dict[str, bool]) -> None:
    with target.client() as host:
        document = _write(host, plugin_id, decisions)
    show(document, _listed(document))


def _read(host: HostClient, plugin_id: str) -> dict[str, Any]:
    return dict(host.ask("GET", f"/api/plugins/{quote(plugin_id, safe='')}/grants"))


def _write(host: HostClient, plugin_id: str, decisions: dict[str, bool]) -> dict[str, Any]:
    return dict(host.ask("PUT", f"/api/plugins/{quote(plugin_id, safe='')}/grants", {"grants": decisions}))


def _listed(document: dict[str, Any]) -> str:
    if not document["items"]:
        return f"{document['plugin']} asks for nothing."
    rows = [
        (_standing(item, document["awaits"]), item["permission"], item.get("by") or "", item["meaning"])
        for item in document["items"]
    ]
    return table(("GRANTED", "PERMISSION", "BY", "WHAT IT LETS THE PLUGIN DO"), rows)


def _standing(item: dict[str, Any], awaited: list[str]) -> str:
    if item["granted"]:
        return "yes"
    return "waits" if item["permission"] in awaited else "no"
