"""An external plugin runs if it is allowed and pinned, isolated, and from an archive that is still the pinned one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corehost.contract.errors import CorehostError, InvalidError
from corehost.plugins.external import Fetcher
from tests.files import FileServer
from tests.plugins.workshop import Workshop

MANIFEST = {"id": "far-clock", "name": "Far clock", "version": "1.2.0", "description": ""}
CODE = """
import os
from corehost import *

store = readable([os.getpid(), os.environ["HOME"]])

@hookimpl
def corehost_stores():
    return StoresSpec(readable={"where": store})
"""


def archive(manifest: dict[str, Any] = MANIFEST, code: str = CODE) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("manifest.json", json.dumps(manifest))
        made.writestr("__init__.py", code)
    return held.getvalue()


class Shop(FileServer):
    """A server of plugins on this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.files["/clock/manifest.json"] = json.dumps(MANIFEST).encode()
        self.address = f"{self.url}/clock"

    def offer(self, data: bytes) -> str:
        """Offer an archive, and return the address that pins it."""
        self.files["/clock/far-clock-1.2.0.zip"] = data
        return f"{self.address}#sha256={hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    made.stop()


def host_with(workshop: Workshop, url: str, *, allow: bool = True) -> Any:
    """Start a host, and return what became of the one external plugin."""
    listed = threading.Event()

    def look(summaries: Any) -> None:
        if summaries and summaries[0]["status"] in ("enabled", "error"):
            listed.set()

    workshop.build(external_urls=(url,), allow_external=allow, allow_loopback_http=True)
    workshop.registry.store().subscribe(look)
    workshop.start()
    assert listed.wait(60.0)  # a hang, however crowded the machine is
    return workshop.registry.all()[0]


def test_a_pinned_plugin_runs_isolated_and_is_granted_nothing_yet(workshop: Workshop, shop: Shop) -> None:
    plugin = host_with(workshop, shop.offer(archive()))

    assert (plugin.id, plugin.status, plugin.error) == ("far-clock", "enabled", None)
    assert plugin.line is not None
    pid, home = workshop.plugins.gateway.store("far-clock", "where").get()
    assert pid == plugin.line.process.pid != os.getpid()
    assert home == str(plugin.line.process.scratch)
    assert set(plugin.granted) == set()


def test_without_being_allowed_it_is_listed_only(workshop: Workshop, shop: Shop) -> None:
    plugin = host_with(workshop, shop.offer(archive()), allow=False)

    assert plugin.status == "error"
    assert "not allowed" in str(plugin.error)


@pytest.mark.parametrize("url", ["", "#sha256=" + "0" * 64, "#sha256=1", "#md5=1"])
def test_without_the_right_pin_it_never_runs(workshop: Workshop, shop: Shop, url: str) -> None:
    shop.offer(archive())
    plugin = host_with(workshop, f"{shop.address}{url}")

    assert plugin.status == "error"
    assert "pin" in str(plugin.error)
    assert plugin.line is None


def test_other_bytes_than_those_pinned_are_not_even_kept(shop: Shop) -> None:
    shop.offer(archive())

    with pytest.raises(InvalidError, match="not the pinned"):
        Fetcher(allow_loopback=True).fetch_archive(f"{shop.address}#sha256={'0' * 64}")


def test_an_archive_that_holds_another_plugin_never_runs(workshop: Workshop, shop: Shop) -> None:
    plugin = host_with(workshop, shop.offer(archive({**MANIFEST, "id": "other"})))

    assert plugin.status == "error"
    assert "holds 'other' and not 'far-clock'" in str(plugin.error)


def test_the_archive_is_looked_at_again_at_each_load(workshop: Workshop, shop: Shop) -> None:
    plugin = host_with(workshop, shop.offer(archive()))
    lifecycle = workshop.plugins.lifecycle
    lifecycle.disable("far-clock")
    (kept,) = (workshop.data / "external" / "archives").iterdir()
    kept.write_bytes(archive(code=CODE + "\n# changed"))

    with pytest.raises(CorehostError, match="not the pinned"):
        lifecycle.enable("far-clock")

    assert plugin.line is None


def test_code_that_was_changed_on_disk_is_unpacked_anew(workshop: Workshop, shop: Shop) -> None:
    plugin = host_with(workshop, shop.offer(archive()))
    workshop.plugins.lifecycle.disable("far-clock")
    (plugin.origin.path / "__init__.py").write_text("raise SystemExit('changed')")
    (plugin.origin.path / "added.py").touch()

    workshop.plugins.lifecycle.enable("far-clock")

    assert plugin.status == "enabled"
    assert not (plugin.origin.path / "added.py").exists()


def test_a_plugin_that_is_kept_needs_no_server(workshop: Workshop, shop: Shop) -> None:
    url = shop.offer(archive())
    host_with(workshop, url)
    shop.files.clear()
    workshop.stop()

    assert host_with(workshop, url).status == "enabled"
