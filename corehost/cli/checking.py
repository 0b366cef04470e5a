"""Try a plugin on a scratch host, and say everything that is wrong with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corehost.cli.logs import configure_logs
from corehost.contract.errors import CorehostError, InvalidError, NotFoundError
from corehost.host import Host, plugin_options
from corehost.plugins.registry import Plugin
from corehost.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found out; the plugin is well if there are no ``faults``."""

    plugin: str
    version: str
    faults: tuple[dict[str, str], ...]
    offers: dict[str, list[str]]


def check_plugin(path: Path) -> Report:
    """Load the plugin at *path* beside the built-in ones, ask its self-test, and disable it again.

    Its code runs. Raises ``NotFoundError`` if there is no plugin.
    """
    with scratch_host(path) as (host, plugin):
        return report_on(host, plugin)


@contextmanager
def scratch_host(path: Path) -> Iterator[tuple[Host, Plugin]]:
    """Give a host in memory that tried the plugin at *path* beside the built-in ones; raises ``NotFoundError``."""
    configure_logs("warning")
    path = path.resolve()
    if not path.exists():
        raise NotFoundError(f"There is nothing at {path}. Name a plugin's file or folder.")
    with tempfile.TemporaryDirectory(prefix="corehost-check-") as folder:
        link = Path(folder) / "plugins" / path.name
        link.parent.mkdir()
        link.symlink_to(path, target_is_directory=path.is_dir())
        settings = Settings(data_dir=Path(folder))
        host = Host(settings, options=replace(plugin_options(settings), entry_points=False, scan_seconds=0))
        try:
            host.start()
            yield host, plugin_at(host, link)
        finally:
            host.stop()


def plugin_at(host: Host, path: Path) -> Plugin:
    """Return the plugin whose code lies at *path*; raises ``NotFoundError``."""
    plugin = next((plugin for plugin in host.registry.all() if plugin.origin.path == path), None)
    if plugin is None:
        raise NotFoundError(
            f"{path.name} is no plugin: a file that ends in .py, or a folder with __init__.py or manifest.json."
        )
    return plugin


def report_on(host: Host, plugin: Plugin) -> Report:
    """Return what is wrong with a plugin that was tried, asking its self-test; it is disabled at the end."""
    lifecycle = host.plugins.lifecycle
    steps: list[tuple[str, Callable[[], Any]]] = [("", lambda: lifecycle.enable(plugin.id))]
    offers: dict[str, list[str]] = {}
    if plugin.is_enabled:
        offers = _offers(plugin)
        steps = [
            ("corehost_selftest", lambda: lifecycle.selftest(plugin.id)),
            ("corehost_disable", lambda: lifecycle.disable(plugin.id)),
        ]
    faults = [fault for name, step in steps for fault in _faults_of(name, step)]
    if not faults and plugin.status == "error":
        faults = [{"path": "", "message": plugin.error or ""}]
    return Report(plugin=plugin.id, version=plugin.version, faults=tuple(faults), offers=offers)


def _faults_of(name: str, step: Callable[[], Any]) -> list[dict[str, str]]:
    """Return what is wrong if *step* raises; enabling a plugin that could not be loaded raises the reason anew."""
    try:
        step()
    except InvalidError as error:
        if error.faults:
            return [{"path": fault.path, "message": fault.message} for fault in error.faults]
        return [{"path": name, "message": error.text}]
    except CorehostError as error:
        return [{"path": name, "message": error.text}]
    except Exception as error:  # noqa: BLE001  # the plugin's own code, which may raise anything
        return [{"path": name, "message": f"{type(error).__name__}: {error}"}]
    return []


def _offers(plugin: Plugin) -> dict[str, list[str]]:
    routes = plugin.routes
    return {
        "methods": sorted(plugin.api.methods) if plugin.api else [],
        "pages": [routes.base_path + ("" if route.path == "/" else route.path) for route in routes.routes]
        if routes
        else [],
        "stores": sorted({**plugin.stores.readable, **plugin.stores.writable}) if plugin.stores else [],
        "hooks": sorted(plugin.hooks.names()) if plugin.hooks else [],
    }
