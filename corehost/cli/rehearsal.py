"""Try a new version of a plugin for a host that serves, in this process, which may end in any way."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from corehost.cli.checking import Report, plugin_at, report_on
from corehost.cli.logs import configure_logs
from corehost.contract.errors import InvalidError, ManifestError
from corehost.contract.records import to_json
from corehost.host import Host
from corehost.plugins.declared import declared_by
from corehost.plugins.installation.disk import write_json
from corehost.plugins.isolation.runner import IsolationOptions
from corehost.plugins.options import PluginOptions
from corehost.plugins.registry import Plugin
from corehost.plugins.sources import unpacked
from corehost.settings import Settings


def main() -> None:
    """Do what the order in the file named first says, and write the report that it asks for."""
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
    configure_logs("warning")
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    report = _tried(order)
    write_json(Path(order["report"]), report)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that the plugin left behind must not keep us


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # until the host closes it, or dies
    os._exit(1)


def _tried(order: dict[str, Any]) -> dict[str, Any]:
    candidate = unpacked(order["candidate"])
    settings = Settings(data_dir=Path(order["data"]))
    options = PluginOptions(
        builtin_package=order["builtin_package"],
        entry_points=False,
        origins=(candidate, *map(unpacked, order["others"])),
        scan_seconds=0,
        hook_seconds=order["hook_seconds"],
        isolated=frozenset(order["isolated"]),
        isolation=IsolationOptions(hook_seconds=order["hook_seconds"]),
        base_paths=order["base_paths"],
        allow_external=True,  # or it would not have come so far
        external_needs=order["external_needs"],
    )
    host = Host(settings, options=options)
    host.start()
    plugin = plugin_at(host, Path(str(candidate.path)))
    if not plugin.is_enabled and _waits(host, plugin):
        return {**_answer(plugin, []), "waits": True}
    contracts = declared_by(plugin) if plugin.is_enabled else {}
    report = report_on(host, plugin)
    return {**_answer(plugin, _faults(plugin, report)), "contracts": contracts, "waits": False}


def _waits(host: Host, plugin: Plugin) -> bool:
    """Enable a plugin that is not, with what it needs, and tell whether all that it lacks is that it must be set up."""
    try:
        host.plugins.lifecycle.enable(plugin.id, cascade=True)
    except ManifestError as error:
        return isinstance(error.__cause__, InvalidError) and bool(_unset(host, plugin))
    except Exception:  # noqa: BLE001  # the plugin's own code, which may raise anything; the report will say
        return False
    return False


def _unset(host: Host, plugin: Plugin) -> set[str]:
    """Return the required settings that have neither a value nor a default."""
    schema = plugin.manifest.config_schema if plugin.manifest else None
    if schema is None:
        return set()
    given = {name for name, prop in schema.properties.items() if prop.default is not None}
    return set(schema.required) - given - set(host.database.configs.get(plugin.id))


def _faults(plugin: Plugin, report: Report) -> list[dict[str, str]]:
    if plugin.manifest is None and not report.faults:
        return [{"path": "", "message": "The plugin has no manifest."}]
    return list(report.faults)


def _answer(plugin: Plugin, faults: list[dict[str, str]]) -> dict[str, Any]:
    manifest = to_json(plugin.manifest) if plugin.manifest else None
    return {"manifest": manifest, "contracts": {}, "faults": faults}


if __name__ == "__main__":
    main()
