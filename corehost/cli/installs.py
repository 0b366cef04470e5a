"""`corehost plugin install|upgrade|rollback|remove`: change what the host has installed, while it serves."""

from __future__ import annotations

import io
import os
import sys
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.grants import agree
from corehost.cli.output import show, wants_json
from corehost.client import Archive, HostClient
from corehost.contract.errors import ConsentNeededError, InvalidError

_PAUSE = 0.2
_STEPS = {
    "fetching": "Fetching and checking …",
    "trying": "Trying it in a process of its own …",
    "switching": "Changing over …",
    "watching": "Watching it …",
    "removing": "Removing …",
}
_SUFFIXES = (".whl", ".zip", ".py")

_FORCE = click.option("--force", is_flag=True, help="Although it is not newer, or breaks what others use.")
_YES = click.option("--yes", is_flag=True, help="Agree to what it asks for without being asked.")
_WAIT = click.option("--wait", is_flag=True, help="Wait until the trial is over, too.")


@click.command()
@click.argument("source")
@click.option("--force", is_flag=True, help="Although it breaks what others use.")
@_YES
@target_options
def install(target: Target, source: str, force: bool, yes: bool) -> None:
    """Install the plugin that SOURCE is: a folder, a wheel, a zip, a .py file, a package's name, or an https address.

    What it needs of Python is checked before anything changes, and its code is tried in another process. A package is
    fetched by pip. What lies at an address must be pinned (https://…#sha256=HASH) or signed by a trusted key, the host
    must allow it (--allow-external), and it runs isolated once you agreed to what it asks for.
    """
    name, archive = source_for(target, source)
    with target.client() as host:
        job = _agreed(host, lambda: host.install(name, archive=archive, force=force), wait=True, yes=yes)
    show(job, f"{job['plugin']} {job['version']} is installed.")


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.argument("source", required=False)
@_FORCE
@_WAIT
@_YES
@target_options
def upgrade(target: Target, plugin_id: str, source: str | None, force: bool, wait: bool, yes: bool) -> None:
    """Upgrade a plugin to what SOURCE is, else to what now is where it was installed from.

    The new version is tried in another process, on a copy of its storage; then the old one gives way in one step. If
    that fails, or it makes errors in its first seconds, the old version and its storage come back.
    """
    name, archive = (None, None) if source is None else source_for(target, source)
    with target.client() as host:
        begin = partial(host.upgrade, plugin_id, name, archive=archive, force=force)
        job = _agreed(host, begin, wait=wait, yes=yes)
    show(job, _changed(job))


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--storage", is_flag=True, help="Bring its storage back, too, as it was when that version was left.")
@_FORCE
@_WAIT
@target_options
def rollback(target: Target, plugin_id: str, storage: bool, force: bool, wait: bool) -> None:
    """Bring back the version that a plugin had before; while an upgrade is on trial, with its storage."""
    with target.client() as host:
        job = _followed(host, host.rollback(plugin_id, storage=storage, force=force), wait=wait)
    show(job, _changed(job))


@click.command()
@click.argument("plugin_id", metavar="ID")
@click.option("--purge", is_flag=True, help="With all that was kept for it: storage, settings, preferences.")
@click.option("--cascade", is_flag=True, help="Switch off those that need it.")
@target_options
def remove(target: Target, plugin_id: str, purge: bool, cascade: bool) -> None:
    """Remove a plugin that was installed; refused if others need it, unless they shall be switched off."""
    with target.client() as host:
        job = host.remove(plugin_id, purge=purge, cascade=cascade)
        if job is not None:
            job = _followed(host, job, wait=True)
    show(job or {"plugin": plugin_id, "state": "done"}, f"{plugin_id} is removed.")


def _changed(job: dict[str, Any]) -> str:
    text = f"{job['plugin']} runs {job['version']}, and {job['replaced']} before."
    if job["state"] == "running":
        text += f" It is on trial; 'corehost plugin info {job['plugin']}' tells what came of it."
    return text


def _agreed(host: HostClient, begin: Callable[[], Any], *, wait: bool, yes: bool) -> dict[str, Any]:
    """Follow a job; if it waits for consent, ask the person whether they agree, and begin it anew."""
    job = begin()
    try:
        return _followed(host, job, wait=wait)
    except ConsentNeededError:
        is_there = sys.stdin.isatty() and not wants_json()
        if not (yes or is_there):
            raise
    plugin_id = host.ask("GET", f"/api/jobs/{job['id']}")["plugin"]
    agree(host, plugin_id, yes=yes)
    return _followed(host, begin(), wait=wait)


def _followed(host: HostClient, job: dict[str, Any], *, wait: bool) -> dict[str, Any]:
    """Tell a person each step of a job, and return it at its end, or once its version is watched; raises its error."""
    pause, told = threading.Event(), None
    while True:
        if job["step"] != told and not wants_json() and job["step"] in _STEPS:
            click.echo(_STEPS[job["step"]], err=True)
        told = job["step"]
        if job["state"] != "running" or (told == "watching" and not wait):
            return job
        pause.wait(_PAUSE)
        job = host.job(job["id"])


def source_for(target: Target, source: str) -> tuple[str | None, Archive | None]:
    """Return what the host shall install: a path as it is seen from anywhere, or its bytes if the host is elsewhere."""
    path = Path(source).expanduser()
    is_path = path.exists() or os.sep in source or source.endswith(_SUFFIXES)
    if not is_path or source.startswith(("http://", "https://")):
        return source, None
    if target.url is None:
        return str(path.absolute()), None
    return None, _packed(path)


def _packed(path: Path) -> Archive:
    """Return the bytes to send of a plugin on this machine."""
    if not path.exists():
        raise InvalidError(f"There is nothing at {path}.")
    if path.is_file() and path.suffix in (".whl", ".zip"):
        return path.name, path.read_bytes()
    if not path.is_dir():
        raise InvalidError(f"{path} cannot be sent to another host. Name a wheel, a zip or a folder.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
                archive.write(file, f"{path.name}/{inside.as_posix()}")
    return f"{path.name}.zip", packed.getvalue()
