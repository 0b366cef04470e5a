"""`corehost doctor`: is this machine fit to run a host, and is the host on it well?"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Literal

import click
from packaging.requirements import Requirement

from corehost.cli.connection import Target, target_options
from corehost.cli.datafolder import DataFolder
from corehost.cli.exits import ExitCode
from corehost.cli.output import show, table
from corehost.contract.errors import CorehostError, SettingsError
from corehost.plugins.isolation.sandbox import probe
from corehost.settings import Settings, load_settings

_LEAST_SPACE = 200_000_000
_FEW_DESCRIPTORS = 1_024
Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; ``detail`` says what to do about a warning or fault."""

    check: str
    verdict: Verdict
    detail: str


@click.command()
@target_options
@click.pass_context
def doctor(ctx: click.Context, target: Target) -> None:
    """Check Python, packages, settings, data folder and limits, and ask the running host how it is."""
    findings = list(examine(target))
    rows = [(finding.verdict, finding.check, finding.detail) for finding in findings]
    show({"findings": [asdict(finding) for finding in findings]}, table(("", "CHECK", ""), rows))
    ctx.exit(ExitCode.FAILED if any(finding.verdict == "fault" for finding in findings) else ExitCode.OK)


def examine(target: Target) -> Iterator[Finding]:
    """Make every check, whatever the others find."""
    yield _python()
    yield _packages()
    yield _sqlite()
    yield from _descriptors()
    yield from _isolation()
    try:
        settings = load_settings({"data_dir": target.data_dir}, os.environ)
    except SettingsError as error:
        yield Finding(check="settings", verdict="fault", detail=error.text.replace("\n", " "))
        settings = Settings()
    else:
        yield Finding(check="settings", verdict="ok", detail="valid")
    yield from _folders(settings)
    yield from _host(settings, target)


def _python() -> Finding:
    version = sys.version.split()[0]
    if sys.platform == "win32":
        detail = f"{version} on Windows, where only 'corehost serve --debug' works."
        return Finding(check="Python", verdict="warning", detail=detail)
    return Finding(check="Python", verdict="ok", detail=version)


def _packages() -> Finding:
    try:
        wanted = [Requirement(text) for text in metadata.requires("corehost") or ()]
    except metadata.PackageNotFoundError:
        return Finding(
            check="packages", verdict="fault", detail="corehost is not installed. Run 'pip install corehost'."
        )
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    faults = [fault for one in needed if (fault := _package_fault(one))]
    if faults:
        return Finding(check="packages", verdict="fault", detail=f"{'; '.join(faults)}. Run 'pip install corehost'.")
    return Finding(check="packages", verdict="ok", detail=f"all {len(needed)} installed")


def _package_fault(wanted: Requirement) -> str | None:
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is missing"
    return (
        None
        if wanted.specifier.contains(found, prereleases=True)
        else f"{wanted.name} {found} is not {wanted.specifier}"
    )


def _sqlite() -> Finding:
    return Finding(check="SQLite", verdict="ok", detail=sqlite3.sqlite_version)


def _isolation() -> Iterator[Finding]:
    """Tell by which means a plugin can be held in a process of its own; where a needed one lacks, none is run so."""
    for layer in probe():
        needed = "nothing runs isolated without it: " if layer.is_needed and not layer.is_there else ""
        verdict: Verdict = "ok" if layer.is_there or not layer.is_needed else "warning"
        yield Finding(check=f"isolation: {layer.name}", verdict=verdict, detail=f"{needed}{layer.detail}")


def _descriptors() -> Iterator[Finding]:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # there is none on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    few = not unlimited and hard <= _FEW_DESCRIPTORS
    advice = "; each browser needs one. Raise it: ulimit -Hn, or LimitNOFILE= in a unit." if few else ""
    detail = f"{'no limit' if unlimited else hard}{advice}"
    yield Finding(check="open files", verdict="warning" if few else "ok", detail=detail)


def _folders(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK) or not nearest.is_dir():
        detail = f"{nearest} cannot be written. Choose another with --data-dir."
        yield Finding(check="data folder", verdict="fault", detail=detail)
        return
    free = shutil.disk_usage(nearest).free
    full = free < _LEAST_SPACE
    detail = f"{folder}, {free // 1_000_000} MB free" + (". Make room: storage would soon be refused." if full else "")
    yield Finding(check="data folder", verdict="warning" if full else "ok", detail=detail)
    for plugins in settings.plugins:
        if not plugins.is_dir():
            detail = f"{plugins} does not exist; plugins are found there once it does."
            yield Finding(check="plugin folder", verdict="warning", detail=detail)


def _host(settings: Settings, target: Target) -> Iterator[Finding]:
    folder = DataFolder(settings.data_dir)
    if target.url is None and not folder.is_locked():
        yield Finding(check="host", verdict="ok", detail="none runs on this data folder")
        yield _port(settings)
        return
    try:
        with target.client() as host:
            items = host.plugins()
            ready = host.is_ready()
    except CorehostError as error:
        yield Finding(check="host", verdict="fault", detail=error.text)
        return
    detail = "ready" if ready else "its plugins are still being loaded"
    yield Finding(check="host", verdict="ok" if ready else "warning", detail=detail)
    for item in items:
        if item["status"] == "error":
            yield Finding(check=f"plugin {item['id']}", verdict="warning", detail=item.get("error") or "failed")


def _port(settings: Settings) -> Finding:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        detail = f"{settings.host}:{settings.port}: {error.strerror}. Choose another with --port."
        return Finding(check="port", verdict="fault", detail=detail)
    return Finding(check="port", verdict="ok", detail=f"{settings.host}:{settings.port} is free")
