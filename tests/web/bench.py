"""A host without sockets for the tests of the web edge: real bus, real plugins, requests by WSGI."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from corehost.contract.user import UserContext
from corehost.messaging.assembly import Messaging
from corehost.plugins.assembly import Plugins
from corehost.plugins.faults import Faults
from corehost.plugins.options import PluginOptions
from corehost.plugins.registry import Registry
from corehost.state.database import HostDatabase
from corehost.web.auth import ADMINISTRATOR
from corehost.web.edge import EdgeOptions, Web
from corehost.web.origins import EdgeAddress

TOKEN = "t" * 32
CODE = "one-use-code"
BASE = "http://127.0.0.1:8620"

HEAD = """
import flask
from corehost import *

@hookimpl
def corehost_manifest():
    return Manifest(id={id!r}, name={name!r}, version="1.0.0", description="For a test.",
                    permissions=("routes:register", "api:expose", "plugins:communicate", {more}))
"""


class Bench:
    """One host, and a browser or program that asks it."""

    def __init__(
        self, folder: Path, closers: ExitStack, *, threads: int = 16, port: int = 8620, **options: Any
    ) -> None:
        self.plugins_folder = folder / "plugins"
        self.plugins_folder.mkdir(exist_ok=True)
        self.ready = threading.Event()
        self.told: list[tuple[str, str]] = []
        self.notified: list[tuple[str, str, dict[str, Any]]] = []
        self.faults = Faults()
        self.database = HostDatabase(folder)
        closers.callback(self.database.close)
        registry = Registry()
        messaging = Messaging(self.faults, may_know_user=registry.may_know_user)
        closers.callback(messaging.close)
        self.bus = messaging.bus
        self.plugins = Plugins(
            messaging=messaging,
            faults=self.faults,
            database=self.database,
            data_dir=folder,
            registry=registry,
            options=PluginOptions(
                folders=(self.plugins_folder,), builtin_package=None, entry_points=False, scan_seconds=0, **options
            ),
            routes_api=lambda plugin: self.web.routes_api(plugin),
        )
        self.web = Web(
            plugins=self.plugins,
            bus=self.bus,
            lanes=messaging.lanes,
            options=EdgeOptions(
                address=EdgeAddress(host="127.0.0.1", port=port),
                secret_key=b"k" * 32,
                threads=threads,
                token=TOKEN,
                sign_in_code=CODE,
                drain_seconds=5.0,
            ),
            ready=self.ready,
            announce=self._announce,
        )
        self.web.notify = lambda session, method, params: self.notified.append((session, method, params))
        self.plugins.add_part(self.web.part, asleep=self.web.asleep_part)
        closers.callback(self.plugins.stop)
        self.client = Client(self.web.wsgi)

    def write(self, plugin_id: str, code: str, *, more: str = "") -> Path:
        """Write a plugin of one file: *code* behind a manifest."""
        path = self.plugins_folder / f"{plugin_id.replace('-', '_')}.py"
        path.write_text(HEAD.format(id=plugin_id, name=plugin_id.title(), more=more) + code)
        return path

    def write_package(self, plugin_id: str, code: str, files: dict[str, str], *, more: str = "") -> Path:
        """Write a plugin that is a package, with *files* beside its code."""
        folder = self.plugins_folder / plugin_id.replace("-", "_")
        for name, text in {
            **files,
            "__init__.py": HEAD.format(id=plugin_id, name=plugin_id.title(), more=more) + code,
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    def start(self) -> Bench:
        """Load the plugins; each must be enabled then."""
        self.plugins.start()
        self.ready.set()
        for plugin in self.plugins.registry.all():
            assert plugin.status == "enabled", plugin.error
        return self

    def get(self, path: str, **options: Any) -> TestResponse:
        """Ask as a program with the administrator's token that takes pages."""
        return self.ask("GET", path, **options)

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request with the administrator's token."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html", **options.pop("headers", {})}
        return self.client.open(path, method=method, base_url=BASE, headers=headers, buffered=True, **options)

    def browse(self, path: str, *, method: str = "GET", **options: Any) -> TestResponse:
        """Send a request as a browser does, with cookies and, where it changes something, its origin."""
        headers = {"Accept": "text/html", **({"Origin": BASE} if method != "GET" else {}), **options.pop("headers", {})}
        return self.client.open(path, method=method, base_url=BASE, headers=headers, buffered=True, **options)

    def sign_in(self) -> None:
        """Give the browser a session."""
        secret = self.database.sessions.open_session(ADMINISTRATOR.id)
        self.client.set_cookie("corehost-8620", secret, domain="127.0.0.1")

    def errors(self, plugin_id: str) -> dict[str, int]:
        """Return how often the plugin was charged, by where."""
        counted: dict[str, int] = self.faults.summary(plugin_id)["errors"]
        return counted

    def _announce(self, event: str, user: UserContext, _ended: str | None) -> None:
        self.told.append((event, user.id))
