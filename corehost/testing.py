"""pytest fixtures for plugin authors: a real host in memory, with chosen plugins, and the messages it saw."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from corehost.contract.message import Message
from corehost.messaging.patterns import matches

if TYPE_CHECKING:  # pytest imports this file in every project of an author; the host itself only when it is asked for
    from werkzeug.test import TestResponse

    from corehost.host import Host
    from corehost.messaging.feed import Feed

Plugin = str | Path | ModuleType
"""A built-in plugin by id, a plugin's file or folder, or its module."""

_TOKEN = "a-token-for-tests-only"
_BATCH = 1_000


class Messages:
    """The messages that the hosts of one test have published, oldest first."""

    def __init__(self) -> None:
        self._feeds: list[Feed] = []
        self._arrived = threading.Event()
        self._taken: list[Message] = []
        self._waited_for: set[str] = set()

    def __iter__(self) -> Iterator[Message]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __getitem__(self, index: int) -> Message:
        return self._all()[index]

    def of(self, pattern: str) -> list[Message]:
        """Return those whose type matches *pattern*, in which ``*`` stands for any run of characters."""
        return [message for message in self._all() if matches(pattern, message.type)]

    def wait_for(self, pattern: str, *, timeout: float = 10.0) -> Message:
        """Return the next message of *pattern* that no earlier call returned; waits up to *timeout* seconds.

        Raises ``AssertionError`` naming the types that were seen instead.
        """
        end = time.monotonic() + timeout
        while True:
            self._arrived.clear()
            for message in self.of(pattern):
                if message.id not in self._waited_for:
                    self._waited_for.add(message.id)
                    return message
            if not self._arrived.wait(max(0.0, end - time.monotonic())):
                seen = ", ".join(dict.fromkeys(message.type for message in self._all())) or "none"
                raise AssertionError(f"No message {pattern!r} within {timeout} s. Seen were: {seen}.")

    def follow(self, host: Host) -> Callable[[], None]:
        """Collect the messages of *host*, too, until the returned function is called."""
        feed = host.bus.open_feed(self._arrived.set)
        self._feeds.append(feed)

        def stop() -> None:
            self._all()
            self._feeds.remove(feed)
            feed.close()

        return stop

    def _all(self) -> list[Message]:
        for feed in self._feeds:
            while entries := feed.take(_BATCH):
                for entry in entries:
                    assert isinstance(entry, Message), "So many messages at once that some were not recorded."
                    self._taken.append(entry)
        return self._taken


class MemoryHost:
    """A host without a server, as a test talks to it: as the administrator, over methods, messages and HTTP."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.bus = host.bus
        self._forgiven: set[str] = set()

    def call(self, plugin_id: str, method: str, input: Any = None, **options: Any) -> Any:
        """Call a method and return its result; *options* are ``caller``, ``user`` and ``timeout`` (seconds)."""
        if not options.keys() & {"caller", "user"}:
            options["caller"] = "core"
        return self.host.plugins.gateway.call(plugin_id, method, input, **options)

    def request(self, path: str, *, method: str = "GET", **options: Any) -> TestResponse:
        """Send an HTTP request; *options* are werkzeug's, such as ``json`` or ``headers``."""
        from werkzeug.test import Client  # noqa: PLC0415  # only where HTTP is wanted

        port = self.host.settings.port
        headers = {"Authorization": f"Bearer {_TOKEN}", **options.pop("headers", {})}
        client = Client(self.host.wsgi, use_cookies=False)
        # Read to its end at once: a response left open counts as a request that is still being served.
        options = {"buffered": True, **options}
        return client.open(path, method=method, base_url=f"http://127.0.0.1:{port}", headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Send a GET request."""
        return self.request(path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        """Send a POST request."""
        return self.request(path, method="POST", **options)

    def store(self, plugin_id: str, name: str) -> Any:
        """Return the value of a plugin's store."""
        return self.host.plugins.gateway.read_store(plugin_id, name, caller="core")[0]

    def status(self, plugin_id: str) -> str:
        """Return a plugin's status."""
        return self.host.plugins.registry.get(plugin_id).status

    def enable(self, plugin_id: str) -> None:
        """Enable a plugin."""
        self.host.plugins.lifecycle.enable(plugin_id)

    def disable(self, plugin_id: str, *, cascade: bool = False) -> None:
        """Disable a plugin, with *cascade* those that need it, too."""
        self.host.plugins.lifecycle.disable(plugin_id, cascade=cascade)

    def faults(self, plugin_id: str) -> Mapping[str, int]:
        """Return how often the plugin failed, by where; what is asked for does not fail the test at its end."""
        self._forgiven.add(plugin_id)
        errors: Mapping[str, int] = self.host.faults.summary(plugin_id)["errors"]
        return errors

    def require_well(self) -> None:
        """Raise ``AssertionError`` if a plugin failed and nobody asked for its faults."""
        told = []
        for plugin_id in sorted({plugin.id for plugin in self.host.registry.all()} - self._forgiven):
            account = self.host.faults.summary(plugin_id)
            if account["errors"]:
                told.append(f"{plugin_id}, in its {account['last']['where']}: {account['last']['error']}")
        assert not told, "Plugins failed meanwhile: " + "; ".join(told)


class HostFactory:
    """Makes hosts in memory; they are stopped when the test ends."""

    def __init__(self, folder: Path, messages: Messages, closers: ExitStack) -> None:
        self._folder = folder
        self._messages = messages
        self._closers = closers
        self._count = 0

    def __call__(self, *plugins: Plugin, check: bool = True, has_builtins: bool = True, **settings: Any) -> MemoryHost:
        """Return a started host that has *plugins* and no others; *settings* are those of ``Settings``.

        With *check*, raises ``AssertionError`` if one of them is not enabled, and at the test's end if one failed.
        Without *has_builtins* a plugin may bear the id of a built-in one.
        """
        folder = self._folder / f"host-{self._count}"
        self._count += 1
        known = _builtins() if has_builtins else set()
        ids = [plugin if plugin in known else _place(plugin, folder / "plugins") for plugin in plugins]
        memory = MemoryHost(self._started(folder, known - set(ids), settings, has_builtins=has_builtins))
        if check:
            _require_enabled(memory.host, ids)
            self._closers.callback(memory.require_well)
        return memory

    def _started(self, folder: Path, unwanted: Iterable[str], values: dict[str, Any], *, has_builtins: bool) -> Host:
        from corehost.host import Host, plugin_options  # noqa: PLC0415  # only where a host is wanted
        from corehost.settings import Settings  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        settings = Settings(**{"data_dir": folder, "token": _TOKEN, **values})
        options = dataclasses.replace(plugin_options(settings), entry_points=False, scan_seconds=0)
        options = options if has_builtins else dataclasses.replace(options, builtin_package=None)
        host = Host(settings, options=options)
        self._closers.callback(host.stop)
        self._closers.callback(self._messages.follow(host))
        for plugin_id in unwanted:
            host.database.choices.set(plugin_id, False)
        host.start()
        return host


def _builtins() -> set[str]:
    from corehost.plugins.sources import builtin_origins  # noqa: PLC0415  # only where a host is wanted

    return {origin.plugin_id for origin in builtin_origins("builtin_plugins")}


def _place(plugin: Plugin, folder: Path) -> str:
    """Put a plugin's code into *folder* by a link, so that what a test covers is the author's file; return its id."""
    path = Path(str(plugin.__file__)) if isinstance(plugin, ModuleType) else Path(plugin)
    path = (path.parent if path.name == "__init__.py" else path).resolve()
    assert path.exists(), f"{plugin!r} is no built-in plugin, and there is no file or folder {path}."
    folder.mkdir(parents=True, exist_ok=True)
    (folder / path.name).symlink_to(path, target_is_directory=path.is_dir())
    return path.stem.replace("_", "-")


def _require_enabled(host: Host, ids: Iterable[str]) -> None:
    found = {plugin.id: plugin for plugin in host.registry.all()}
    off = [f"{name} is {found[name].status}: {found[name].error}" for name in ids if not found[name].is_enabled]
    assert not off, "; ".join(off)


@pytest.fixture
def messages() -> Messages:
    """The messages that the hosts of this test have published."""
    return Messages()


@pytest.fixture
def corehost_host(tmp_path: Path, messages: Messages) -> Iterator[HostFactory]:
    """A function that makes a real host in memory with chosen plugins: ``corehost_host("path/to/plugin")``."""
    with ExitStack() as closers:
        yield HostFactory(tmp_path / "corehost", messages, closers)
