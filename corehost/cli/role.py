"""`corehost role`: the named sets of permissions that users are given."""

from __future__ import annotations

from collections.abc import Sequence

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.desks import open_desk
from corehost.cli.output import show, table


@click.group()
def role() -> None:
    """Define what the roles of users may do."""


@role.command("list")
@target_options
def list_roles(target: Target) -> None:
    """List all roles with their permissions."""
    with open_desk(target) as desk:
        items = desk.roles()
    rows = [(i["name"], ", ".join(i["permissions"]) or "nothing", i["description"]) for i in items]
    show({"items": items}, table(("ROLE", "PERMISSIONS", "FOR"), rows))


@role.command("set")
@click.argument("name")
@click.option("--permission", "permissions", multiple=True, help="What it may do. May be repeated.")
@click.option("--description", default="", help="What it is for.")
@target_options
def set_role(target: Target, name: str, permissions: Sequence[str], description: str) -> None:
    """Make a role, or replace what it may do; it applies at once.

    A permission is words between colons, such as plugin:clock:use; plugin:*:use covers every plugin, plugin:clock:*
    all that can be done with one.
    """
    with open_desk(target) as desk:
        made = desk.put_role(name, permissions, description)
    show(made, f"{name} may: {', '.join(made['permissions']) or 'nothing'}.")


@role.command()
@click.argument("name")
@target_options
def remove(target: Target, name: str) -> None:
    """Remove a role; whoever has it loses it."""
    with open_desk(target) as desk:
        desk.remove_role(name)
    show({"name": name}, f"The role {name} is removed.")
