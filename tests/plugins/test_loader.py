"""Finding plugins in folders and packages, importing and dropping them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corehost.plugins.loader import Imported, Loader
from corehost.plugins.sources import Origin, builtin_origins, installed_origins, local_origins
from tests.plugins.workshop import Workshop

BOARD = """
from . import parts
from corehost_plugins.my_board.parts import VALUE

def late():
    from .later import X
    return X
"""


@pytest.fixture
def loader() -> Iterator[Loader]:
    made = Loader()
    yield made
    made.close()


def origin_of(path: Path) -> Origin:
    return next(origin for origin in local_origins([path.parent]) if origin.path == path)


def code_of(imported: Imported) -> Any:
    """Return the module, of which nobody but the test knows what is in it."""
    return imported.module


def package(folder: Path, name: str, **files: str) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    for file, text in files.items():
        (path / f"{file}.py").write_text(text)
    return path


def test_a_folder_holds_files_and_packages_and_nothing_else_counts(tmp_path: Path) -> None:
    (tmp_path / "clock.py").touch()
    (tmp_path / "_private.py").touch()
    (tmp_path / ".hidden.py").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "__pycache__").mkdir()
    package(tmp_path, "my-board", __init__="")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "manifest.json").touch()

    found = local_origins([tmp_path, tmp_path / "missing"])

    assert [(origin.name, origin.plugin_id) for origin in found] == [
        ("clock", "clock"),
        ("half", "half"),
        ("my_board", "my-board"),
    ]
    assert found[2].to_json() == {"type": "local", "path": str(tmp_path / "my-board")}


def test_modules_of_a_package_import_each_other_and_the_folder_is_not_on_the_path(
    tmp_path: Path, loader: Loader
) -> None:
    path = package(
        tmp_path,
        "my-board",
        __init__=BOARD,
        parts="VALUE = 5",
        later="X = 7",
    )
    before = list(sys.path)
    imported = loader.load(origin_of(path))

    assert code_of(imported).VALUE == 5
    assert code_of(imported).late() == 7
    assert imported.folder == path
    assert code_of(imported).__name__ == "corehost_plugins.my_board"
    assert sys.path == before
    assert "corehost_plugins.my_board.parts" in sys.modules

    imported.drop()
    assert [name for name in sys.modules if name.startswith("corehost_plugins.my_board")] == []


def test_only_the_plugins_own_modules_are_dropped(tmp_path: Path, loader: Loader) -> None:
    one = loader.load(origin_of(package(tmp_path, "one", __init__="import json, colorsys")))
    other = loader.load(origin_of(package(tmp_path, "one_more", __init__="from . import part", part="")))

    one.drop()

    assert "colorsys" in sys.modules
    assert sys.modules["corehost_plugins.one_more"] is other.module
    assert "corehost_plugins.one_more.part" in sys.modules
    other.drop()


def test_code_that_changed_within_the_same_second_is_loaded_anew(
    tmp_path: Path, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # whoever runs the tests may have switched the cache off
    path = package(tmp_path, "quick", __init__="from .part import X", part="X = 1")
    first = loader.load(origin_of(path))
    first.drop()
    (path / "part.py").write_text("X = 2")
    second = loader.load(origin_of(path))

    assert (code_of(first).X, code_of(second).X) == (1, 2)
    assert list(path.glob("**/__pycache__")) == []
    second.drop()


def test_a_module_that_fails_leaves_nothing_behind(tmp_path: Path, loader: Loader) -> None:
    path = package(tmp_path, "bad", __init__="from . import part\n1/0", part="")
    with pytest.raises(ZeroDivisionError):
        loader.load(origin_of(path))

    assert [name for name in sys.modules if name.startswith("corehost_plugins.bad")] == []


def test_another_hosts_load_of_the_same_plugin_is_left_alone(tmp_path: Path, loader: Loader) -> None:
    path = package(tmp_path, "shared", __init__="")
    other = Loader()
    first = loader.load(origin_of(path))
    second = other.load(origin_of(path))

    first.drop()

    assert sys.modules["corehost_plugins.shared"] is second.module
    second.drop()
    other.close()


def test_the_finder_is_taken_out_again() -> None:
    before = list(sys.meta_path)
    loader = Loader()
    with pytest.raises(Exception, match="no code"):
        loader.load(Origin(kind="local", name="nothing", path=Path("/nonexistent")))
    loader.close()

    assert sys.meta_path == before


def test_builtins_are_the_packages_of_one_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "shipped_plugins", __init__="raise RuntimeError('never imported')")
    package(tmp_path, "shipped_plugins/core_ui", __init__="")
    (tmp_path / "shipped_plugins" / "single.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    found = builtin_origins("shipped_plugins")

    assert [(origin.plugin_id, origin.module) for origin in found] == [
        ("core-ui", "shipped_plugins.core_ui"),
        ("single", "shipped_plugins.single"),
    ]
    assert found[0].to_json() == {"type": "builtin", "path": "shipped_plugins.core_ui"}
    assert builtin_origins("no_such_package") == []


def test_an_installed_package_is_found_by_its_entry_point_and_hosted(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    package(site, "acme_clock", __init__=workshop.source("wall-clock"), part="X = 1")
    info = site / "acme_clock-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-clock\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[corehost.plugins]\nacme = acme_clock\n")
    monkeypatch.syspath_prepend(site)
    assert "acme" in [origin.name for origin in installed_origins()]

    workshop.start(entry_points=True)

    plugin = workshop.registry.get("wall-clock")
    assert (plugin.status, plugin.origin.kind, plugin.import_name) == ("enabled", "installed", "acme_clock")
    assert plugin.folder == site / "acme_clock"
    assert workshop.registry.find("acme") is None
    workshop.plugins.lifecycle.disable("wall-clock")
    assert "acme_clock" not in sys.modules
