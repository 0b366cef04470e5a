"""Plugins that are dropped into a folder, changed there and taken away while the host runs."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable

import pytest

from corehost.plugins.catalogue import Catalogue
from corehost.plugins.culprits import Culprits
from corehost.plugins.scanner import Scanner
from tests.plugins.workshop import Workshop, needs


def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1500):
        if condition():
            return
        threading.Event().wait(0.01)
    assert condition()


def has(workshop: Workshop, plugin_id: str, status: str) -> bool:
    plugin = workshop.registry.find(plugin_id)
    return plugin is not None and plugin.status == status


@pytest.fixture
def scanned(workshop: Workshop) -> Workshop:
    workshop.start(scan_seconds=0.05, settle_seconds=0.1)
    return workshop


def test_a_file_that_appears_is_listed_and_enabled_if_it_says_so(scanned: Workshop) -> None:
    scanned.write("clock")
    scanned.write("shy", enabled=False)

    eventually(lambda: has(scanned, "clock", "enabled") and has(scanned, "shy", "disabled"))


def test_what_is_taken_away_is_disabled_and_forgotten_with_what_needs_it(scanned: Workshop) -> None:
    path = scanned.write("clock", "@hookimpl\ndef corehost_disable(): note('bye')")
    scanned.write("board", dependencies=needs("clock"))
    eventually(lambda: has(scanned, "board", "enabled"))

    path.unlink()

    eventually(lambda: scanned.registry.find("clock") is None)
    assert scanned.noted() == ["bye"]
    assert has(scanned, "board", "disabled")


def test_a_half_written_file_is_an_error_until_it_is_complete(scanned: Workshop) -> None:
    path = scanned.folder / "clock.py"
    path.write_text("def broken(:")
    eventually(lambda: has(scanned, "clock", "error"))

    path.write_text(scanned.source("clock"))

    eventually(lambda: has(scanned, "clock", "enabled"))


def test_a_file_that_still_grows_is_not_touched(workshop: Workshop) -> None:
    plugins = workshop.start()
    culprits = Culprits(workshop.data, workshop.faults)
    catalogue = Catalogue(workshop.registry, workshop.database.choices, culprits, folders=[workshop.folder])
    scanner = Scanner(plugins.lifecycle, workshop.registry, catalogue, settle=3600)
    workshop.write("clock")
    scanner.look()
    scanner.look()
    plugins.lifecycle.submit_quarantine("nobody", "").result(10)  # whatever was asked for before is done now

    assert workshop.registry.find("clock") is None


def test_a_package_is_followed_by_all_of_its_files(scanned: Workshop) -> None:
    folder = scanned.folder / "board"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .parts import *")
    (folder / "parts.py").write_text("1/0")
    eventually(lambda: has(scanned, "board", "error"))

    (folder / "parts.py").write_text("from corehost import *")
    (folder / "__init__.py").write_text(scanned.source("board"))
    eventually(lambda: has(scanned, "board", "enabled"))

    shutil.rmtree(folder)
    eventually(lambda: scanned.registry.find("board") is None)


def test_an_unregistered_plugin_stays_away_until_its_file_changes(scanned: Workshop) -> None:
    path = scanned.write("clock")
    eventually(lambda: has(scanned, "clock", "enabled"))
    scanned.plugins.lifecycle.unregister("clock")
    scanned.write("other")
    eventually(lambda: has(scanned, "other", "enabled"))
    assert scanned.registry.find("clock") is None

    path.write_text(scanned.source("clock") + "# changed\n")

    eventually(lambda: has(scanned, "clock", "enabled"))
