"""`corehost key`: make a key to sign plugins with, and say whose signatures a host trusts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.output import json_option, show, table
from corehost.cli.user import moment
from corehost.client import HostClient
from corehost.plugins.signing.keys import new_private

Entry = dict[str, Any]
_MOST: Final = 1_000


@click.group()
def key() -> None:
    """Make a key to sign plugins with, and say whose signatures a host trusts."""


@key.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def new(file: Path) -> None:
    """Make a key and keep it in FILE, its public half in FILE.pub.

    FILE has no password: whoever can read it can sign as you. The public half is for those who shall trust you.
    """
    public = new_private(file).public
    file.with_name(f"{file.name}.pub").write_text(f"{public}\n", encoding="ascii")
    text = f"Made {file}, which only you can read. Give others its public half, {file}.pub:\n{public}"
    show({"file": str(file), "key": str(public), "id": public.id}, text)


@key.command("list")
@target_options
def list_keys(target: Target) -> None:
    """List the keys whose signatures the host trusts."""
    with _open_ring(target) as ring:
        items = ring.all()
    rows = [(item["id"], item["name"], item["by"], moment(item["at"]), item["key"]) for item in items]
    show({"items": items}, table(("ID", "NAME", "BY", "SINCE", "KEY"), rows))


@key.command()
@click.argument("public", metavar="KEY")
@click.option("--name", required=True, help="What you call its owner; shown wherever its signature counts.")
@target_options
def trust(target: Target, public: str, name: str) -> None:
    """Trust what KEY signs: 'ed25519:…', or the file that holds it.

    Plugins from elsewhere that it has signed may then be installed without a pin. Take the key from its owner, not from
    the server that hands out the plugin.
    """
    file = Path(public).expanduser()
    if file.is_file():
        with file.open("rb") as stream:
            public = stream.read(_MOST).decode(errors="replace").strip()
    with _open_ring(target) as ring:
        trusted = ring.trust(public, name)
    show(trusted, f"What {trusted['name']} signs with the key {trusted['id']} is trusted from now on.")


@key.command()
@click.argument("which", metavar="ID")
@target_options
def forget(target: Target, which: str) -> None:
    """Trust a key no longer, named by its id or its owner's name.

    Plugins that have neither a pin nor the signature of another trusted key are taken down, and not loaded again.
    """
    with _open_ring(target) as ring:
        ring.forget(which)
    show({"key": which}, f"What {which} signs is trusted no longer.")


class _Ring(Protocol):
    def all(self) -> list[Entry]: ...
    def trust(self, key: str, name: str) -> Entry: ...
    def forget(self, which: str) -> None: ...


@contextmanager
def _open_ring(target: Target) -> Iterator[_Ring]:
    """Return the keys of a running host, or those in a data folder that no host has, which is locked meanwhile."""
    folder = None if target.url else target.idle_folder()
    if folder is None:
        with target.client() as client:
            yield _ApiRing(client)
        return
    from corehost.cli.offline import FolderRing, database_of  # noqa: PLC0415  # brings SQLAlchemy: half a second

    with database_of(folder) as database:
        yield FolderRing(database)


class _ApiRing:
    def __init__(self, client: HostClient) -> None:
        self._ask = client.ask

    def all(self) -> list[Entry]:
        return list(self._ask("GET", "/api/keys")["items"])

    def trust(self, key: str, name: str) -> Entry:
        return dict(self._ask("POST", "/api/keys", {"key": key, "name": name}))

    def forget(self, which: str) -> None:
        self._ask("DELETE", f"/api/keys/{quote(which)}")
