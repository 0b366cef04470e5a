"""`corehost user`: who may sign in, what they may do, and how they get in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.desks import Entry, open_desk
from corehost.cli.output import show, table, wants_json
from corehost.contract.errors import UnreachableError

# People may write a name in capitals; an account's id has none.
_NAME = click.argument("name", callback=lambda _, __, value: value.strip().lower())


@click.group()
def user() -> None:
    """Add people, give them roles, let them in and keep them out.

    Works on a running host, and on the data folder of one that does not run.
    """


@user.command("list")
@target_options
def list_users(target: Target) -> None:
    """List all users."""
    with open_desk(target) as desk:
        items = desk.users()
    rows = [(i["id"], _state(i), moment(i.get("seen")), ", ".join(i["roles"]) or "none") for i in items]
    show({"items": items}, table(("NAME", "STATE", "LAST SIGN-IN", "ROLES"), rows))


@user.command("show")
@_NAME
@target_options
def show_user(target: Target, name: str) -> None:
    """Show a user with their sessions and tokens."""
    with open_desk(target) as desk:
        found, sessions, tokens = desk.user(name), desk.sessions(name), desk.tokens(name)
    lines = [f"{found['id']}: {_state(found)}, roles: {', '.join(found['roles']) or 'none'}"]
    lines += [f"  session {s['id']}  last used {moment(s['seen'])}  {s['address']}" for s in sessions]
    lines += [f"  token {t['id']}  {t['name']}  expires {moment(t.get('expires'))}" for t in tokens]
    show({**found, "sessions": sessions, "tokens": tokens}, "\n".join(lines))


@user.command()
@_NAME
@click.option("--role", "roles", multiple=True, help="Role to give. May be repeated.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input.")
@target_options
def add(target: Target, name: str, roles: Sequence[str], password_stdin: bool) -> None:
    """Add a user. Without a password, a one-use link lets them in to choose one."""
    password = _read_password() if password_stdin else None
    with open_desk(target) as desk:
        made = desk.add(name, password, roles)
        try:
            link = None if password else desk.link(made["id"])
        except UnreachableError:  # no host runs: the link is made later
            link = None
    said = f"{made['id']} is added, with {_words(made['roles'])}."
    if link is not None:
        said += f"\n{_link_text(link)}"
    elif password is None:
        said += f"\nTo let them in: corehost user link {made['id']}, when the host runs."
    show({**made, **({"link": link["url"]} if link else {})}, said)


@user.command()
@_NAME
@click.option("--password-stdin", is_flag=True, help="Read it from standard input; else it is asked for.")
@target_options
def passwd(target: Target, name: str, password_stdin: bool) -> None:
    """Set a user's password; their sessions end."""
    password = (
        _read_password() if password_stdin else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    with open_desk(target) as desk:
        desk.set_password(name, password)
    show({"id": name}, f"The password of {name} is set; their sessions have ended.")


@user.command()
@_NAME
@click.option("--add", "added", multiple=True, help="Role to give. May be repeated.")
@click.option("--remove", "removed", multiple=True, help="Role to take away. May be repeated.")
@target_options
def role(target: Target, name: str, added: Sequence[str], removed: Sequence[str]) -> None:
    """Give roles to a user and take them away; it applies at once."""
    with open_desk(target) as desk:
        before = desk.user(name)
        wanted = sorted({*before["roles"], *added} - set(removed))
        after = desk.set_roles(name, wanted) if added or removed else before
    show(after, f"{name} has {_words(after['roles'])}.")


@user.command()
@_NAME
@target_options
def disable(target: Target, name: str) -> None:
    """Keep a user out; their sessions, sockets and tokens stop at once."""
    with open_desk(target) as desk:
        show(desk.set_disabled(name, True), f"{name} is kept out.")


@user.command()
@_NAME
@target_options
def enable(target: Target, name: str) -> None:
    """Let a user in again."""
    with open_desk(target) as desk:
        show(desk.set_disabled(name, False), f"{name} may sign in again.")


@user.command()
@_NAME
@target_options
def remove(target: Target, name: str) -> None:
    """Delete a user with their sessions, tokens and preferences."""
    with open_desk(target) as desk:
        desk.remove(name)
    show({"id": name}, f"{name} is removed.")


@user.command()
@_NAME
@target_options
def link(target: Target, name: str) -> None:
    """Print a link that signs a user in, once, within a quarter of an hour."""
    with open_desk(target) as desk:
        made = desk.link(name)
    show(made, _link_text(made))


@user.command("end-session")
@_NAME
@click.argument("session")
@target_options
def end_session(target: Target, name: str, session: str) -> None:
    """Sign a user out of one browser; 'corehost user show NAME' lists the sessions."""
    with open_desk(target) as desk:
        desk.end_session(name, session)
    show({"id": session}, "The session has ended.")


def moment(seconds: float | None) -> str:
    """Return a time as a person reads it, ``never`` for none."""
    return "never" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _state(found: Entry) -> str:
    if found["disabled"]:
        return "disabled"
    return "enabled" if found["hasPassword"] else "no password"


def _words(roles: Sequence[str]) -> str:
    return (
        f"the role {', '.join(roles)}" if len(roles) == 1 else f"the roles {', '.join(roles)}" if roles else "no role"
    )


def _link_text(link: Entry) -> str:
    return f"Sign in as {link['user']} (once, within {link['seconds'] // 60} minutes): {link['url']}"


def _read_password() -> str:
    if sys.stdin.isatty() and not wants_json():
        click.echo("Type the password, then Enter:", err=True)
    return sys.stdin.readline().rstrip("\r\n")
