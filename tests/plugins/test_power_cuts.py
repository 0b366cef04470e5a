"""Kill the host at every touch of a file while plugins are changed: after a restart the old or the new runs, whole."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tiers import Scale, Tell

PROGRAM = "tests.plugins.programs.killed"
pytestmark = pytest.mark.suite("Power cuts")
Expected = dict[str, Any] | None
FILLING = ("install", "upgrade", "rollback")
ACTIONS = ("install", "upgrade", "rollback", "return", "remove")
CODE = """
from corehost import *
from .part import VERSION as PART

VERSION = {version!r}

@hookimpl
def corehost_manifest():
    return Manifest(id={id!r}, name="Plugin", version=VERSION, description="",
                    permissions=("api:expose", "storage:read", "storage:write"))

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"history": Method(handler=lambda _, __: storage.get("history"))}})

@hookimpl
def corehost_setup(context):
    global storage
    assert PART == VERSION, "half of each"
    storage = context.storage
    storage.set("history", [*(storage.get("history") or []), VERSION])
"""


def run(*arguments: Any, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", PROGRAM, *map(str, arguments)]
    # Not measured for coverage: whoever is killed tells nothing.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, env=environ)


def write(folder: Path, plugin_id: str, version: str) -> None:
    package = folder / version.partition(".")[0] / plugin_id
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(CODE.format(id=plugin_id, version=version))
    (package / "part.py").write_text(f"VERSION = {version!r}\n")


class Cuts:
    """A host that was prepared once, and is copied for each kill."""

    def __init__(self, folder: Path) -> None:
        self.sources = folder / "sources"
        for plugin_id, version in (
            ("counter", "1.0.0"),
            ("counter", "2.0.0"),
            ("counter", "3.0.0"),
            ("other", "3.0.0"),
        ):
            write(self.sources, plugin_id, version)
        self._folder = folder
        self._prepared = folder / "prepared"
        done = run("prepare", self._prepared, self.sources)
        assert done.returncode == 0, done.stderr
        self._copies = 0
        self._counts: dict[str, int] = {}

    def copy(self) -> Path:
        self._copies += 1
        return Path(shutil.copytree(self._prepared, self._folder / f"copy-{self._copies}"))

    def count(self, action: str) -> int:
        """Return how often the change touches a file, as the way to all places where it can be killed."""
        if action not in self._counts:
            done = run("change", action, 0, self.copy(), self.sources)
            assert done.returncode == 0, done.stderr
            self._counts[action] = int(json.loads(done.stdout)["count"])
        return self._counts[action]

    def cut(self, action: str, at: int) -> Path:
        data = self.copy()
        done = run("change", action, at, data, self.sources)
        # Threads take turns as they like, so the last touches may be one fewer than were counted.
        assert done.returncode in (-signal.SIGKILL, 0), (at, done.returncode, done.stderr)
        return data

    def look(self, data: Path) -> Any:
        done = run("look", data)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def require_whole(self, action: str, data: Path) -> None:
        """See that the old runs or the new, each with its own storage, and that nothing half-done lies about."""
        seen = self.look(data)
        self._require_old_or_new(action, seen)
        if "counter" not in seen["plugins"]:
            assert not [name for name in (*seen["storages"], *seen["slots"]) if name.startswith("counter")], seen
        assert len(seen["slots"]) <= 3, seen

    def fill(self, action: str, at: int) -> Path:
        """Have no room on the disk from this touch on; what runs then is whole, and so is what runs after a restart."""
        data = self.copy()
        done = run("full", action, at, data, self.sources)
        assert done.returncode == 0, (at, done.stderr)
        self._require_old_or_new(action, json.loads(done.stdout))
        return data

    def _require_old_or_new(self, action: str, seen: Any) -> None:
        counter = seen["plugins"].get("counter")
        assert all(plugin["status"] == "enabled" for plugin in seen["plugins"].values()), seen
        old: Expected = {"version": "2.0.0", "history": ["1.0.0", "2.0.0"]}
        wholes: list[tuple[Expected, Expected]]
        match action:
            case "install":
                wholes = [(None, old), ({"version": "3.0.0", "history": ["3.0.0"]}, old)]
            case "upgrade" | "return":
                new = {"version": "3.0.0", "history": ["1.0.0", "2.0.0", "3.0.0"]}
                wholes = [(None, old), (None, new)]
            case "rollback":
                wholes = [(None, old), (None, {"version": "1.0.0", "history": ["1.0.0"]})]
            case _:
                wholes = [(None, old), (None, None)]
        assert any(
            _fits(seen["plugins"].get("other"), other) and _fits(counter, expected) for other, expected in wholes
        ), seen


def _fits(plugin: Any, expected: Any) -> bool:
    """Compare a plugin with what it shall be; each start of the host adds the version that it set up."""
    if plugin is None or expected is None:
        return plugin is expected
    versions = [version for version, _ in itertools.groupby(plugin["history"])]
    return (plugin["version"], versions) == (expected["version"], expected["history"])


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> Cuts:
    return Cuts(tmp_path_factory.mktemp("cuts"))


@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_at_any_point_leaves_the_old_or_the_new(
    cuts: Cuts, dice: random.Random, scale: Scale, tell: Tell, action: str
) -> None:
    count = cuts.count(action)
    chosen = sorted(dice.sample(range(1, count + 1), scale(count)))

    for at in chosen:
        cuts.require_whole(action, cuts.cut(action, at))

    tell(f"{action}: killed at {len(chosen)} of {count} touches of a file; the old or the new ran, whole, each time")


@pytest.mark.parametrize("action", FILLING)
def test_a_disk_that_is_full_at_any_point_leaves_the_old_or_the_new(
    cuts: Cuts, dice: random.Random, scale: Scale, tell: Tell, action: str
) -> None:
    count = cuts.count(action)
    chosen = sorted(dice.sample(range(1, count + 1), scale(count)))

    for at in chosen:
        cuts.require_whole(action, cuts.fill(action, at))

    tell(f"{action}: no room from {len(chosen)} of {count} touches on; the old or the new ran, whole, each time")


@pytest.mark.long
@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_while_a_start_cleans_up_is_cleaned_up_by_the_next(cuts: Cuts, dice: random.Random, action: str) -> None:
    for at in dice.sample(range(1, cuts.count(action) + 1), 5):
        data = cuts.cut(action, at)
        while run("recover", dice.randrange(1, 40), data).returncode != 0 and dice.random() < 0.8:
            pass
        run("recover", 0, data)  # after a start that did not finish comes one in safe mode
        cuts.require_whole(action, data)
