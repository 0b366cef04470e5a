"""A host without web, made of the real parts, for the tests of the plugin layer."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from corehost import PermissionSet, UserContext
from corehost.messaging.assembly import Messaging
from corehost.plugins.assembly import Plugins
from corehost.plugins.faults import Faults
from corehost.plugins.options import PluginOptions
from corehost.plugins.registry import Registry
from corehost.state.database import HostDatabase

ADMIN = UserContext(id="admin", permissions=PermissionSet({"*"}))
HEADER = """
from corehost import *
from pathlib import Path

LOG = Path({log!r})

def note(text):
    with LOG.open("a") as file:
        file.write(text + "\\n")
"""


class Code(str):
    """A piece of code in a manifest's values."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def needs(plugin_id: str, version: str = "*", *, optional: bool = False) -> tuple[Code]:
    """Return the dependencies of a plugin that needs another."""
    return (Code(f"PluginDependency(plugin_id={plugin_id!r}, version={version!r}, optional={optional})"),)


class Workshop:
    """Writes plugins into a folder and hosts them; a restart makes a new host on the same data."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.folder = folder / "plugins"
        self.folder.mkdir()
        self.log = folder / "log.txt"
        self._options: dict[str, Any] = {"folders": (self.folder,), "builtin_package": None, "entry_points": False}
        self._options |= {"scan_seconds": 0, "hook_seconds": 5.0, "drain_seconds": 2.0}
        self._running = False
        self.build()

    def build(self, **options: Any) -> None:
        """Make a host that is not started yet."""
        self._options |= options
        self.faults = Faults()
        self.registry = Registry()
        self.messaging = Messaging(self.faults, may_know_user=self.registry.may_know_user)
        self.bus = self.messaging.bus
        self.database = HostDatabase(self.data)
        self.plugins = Plugins(
            messaging=self.messaging,
            faults=self.faults,
            registry=self.registry,
            database=self.database,
            data_dir=self.data,
            options=PluginOptions(**self._options),
        )

    def write(self, plugin_id: str, body: str = "", **manifest: Any) -> Path:
        """Write a plugin into the folder, with a manifest of *manifest* unless *body* has one; return its file."""
        path = self.folder / f"{plugin_id.replace('-', '_')}.py"
        path.write_text(self.source(plugin_id, body, **manifest))
        return path

    def source(self, plugin_id: str, body: str = "", **manifest: Any) -> str:
        """Return the code of a plugin."""
        body = textwrap.dedent(body)
        text = HEADER.format(log=str(self.log)) + body
        if "def corehost_manifest" not in body:
            values = {"id": plugin_id, "name": plugin_id.title(), "version": "1.0.0", "description": "", **manifest}
            listed = ", ".join(f"{name}={value!r}" for name, value in values.items())
            text += f"\n@hookimpl\ndef corehost_manifest():\n    return Manifest({listed})\n"
        return text

    def start(self, **options: Any) -> Plugins:
        """Start the host; return its plugins."""
        if options:
            self.build(**options)
        self._running = True
        self.plugins.start(60)
        return self.plugins

    def restart(self, **options: Any) -> Plugins:
        """Stop the host and start another on the same folders."""
        self.stop()
        self.build(**options)
        return self.start()

    def stop(self) -> None:
        """Stop the host."""
        if self._running:
            self.plugins.stop(60)
        self._running = False
        self.messaging.close()
        self.database.close()

    def noted(self) -> list[str]:
        """Return what the plugins noted."""
        return self.log.read_text().split("\n")[:-1] if self.log.exists() else []

    def status(self, plugin_id: str) -> str:
        """Return the status of a plugin."""
        return self.registry.get(plugin_id).status

    def error(self, plugin_id: str) -> str:
        """Return why a plugin failed."""
        return str(self.registry.get(plugin_id).error)

    def call(self, plugin_id: str, method: str, input: Any = None) -> Any:
        """Call a method as the administrator."""
        return self.plugins.gateway.call(plugin_id, method, input, user=ADMIN)
