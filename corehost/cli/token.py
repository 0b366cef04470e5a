"""`corehost token`: tokens by which programs act for users."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.desks import open_desk
from corehost.cli.output import show, table
from corehost.cli.user import moment

_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "y": 365 * 86_400}


class Lifetime(click.ParamType[float]):
    """A duration such as ``90d`` as an option."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the duration in seconds."""
        if isinstance(value, float):
            return value
        if not (found := re.fullmatch(r"(\d{1,5})([mhdy])", str(value))):
            self.fail(f"{value!r} is no duration such as '12h', '90d' or '1y'.", param, ctx)
        return float(int(found[1]) * _UNITS[found[2]])


@click.group()
def token() -> None:
    """Make, list and revoke API tokens."""


@token.command()
@click.argument("name")
@click.option("--user", "user_id", required=True, help="Whom the token acts for.")
@click.option("--permission", "permissions", multiple=True, help="All that it may do; else what the user may. Repeat.")
@click.option("--expires", type=Lifetime(), default="90d", show_default=True, help="For how long: 12h, 90d, 1y.")
@click.option("--forever", is_flag=True, help="Good until it is revoked.")
@target_options
def create(target: Target, name: str, user_id: str, permissions: Sequence[str], expires: float, forever: bool) -> None:
    """Make a token called NAME and print it; it is shown this once."""
    with open_desk(target) as desk:
        made = desk.make_token(user_id, name, permissions or None, None if forever else expires)
    about = f"Token {made['token']['id']} of {user_id}, expires {moment(made['token'].get('expires'))}."
    show(made, f"{made['secret']}\n{about} Keep it now: it is not shown again.")


@token.command("list")
@click.option("--user", "user_id", help="Only those of this user.")
@target_options
def list_tokens(target: Target, user_id: str | None) -> None:
    """List tokens; never their secrets."""
    with open_desk(target) as desk:
        items = desk.tokens(user_id)
    rows = [
        (i["id"], i["user"], i["name"], moment(i.get("expires")), moment(i.get("used")), _scope(i.get("permissions")))
        for i in items
    ]
    show({"items": items}, table(("ID", "USER", "NAME", "EXPIRES", "LAST USED", "PERMISSIONS"), rows))


@token.command()
@click.argument("token_id", metavar="ID")
@target_options
def revoke(target: Target, token_id: str) -> None:
    """Make a token worthless at once."""
    with open_desk(target) as desk:
        desk.revoke(token_id)
    show({"id": token_id}, f"Token {token_id} is revoked.")


def _scope(permissions: Sequence[str] | None) -> str:
    return "all of the user's" if permissions is None else ", ".join(permissions) or "none"
