"""Plugins that run isolated are upgraded and taken back as others are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost import CorehostError, Manifest
from corehost.contract.records import to_json
from corehost.plugins.installation.fetching import Source
from corehost.plugins.installation.jobs import Job
from tests.plugins.workshop import Workshop

CODE = """
import os
from corehost import ApiSpec, Method, hookimpl

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"where": Method(handler=lambda _, __: [os.getpid(), storage.get("by")])}})

@hookimpl
def corehost_setup(context):
    global storage
    storage = context.storage
    storage.set("by", {version!r})
    {setup}
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """A host without plugins, not started."""
    made = Workshop(tmp_path)
    yield made
    made.stop()


def write(folder: Path, version: str, isolation: str = "process", setup: str = "pass") -> Source:
    package = folder / f"{version}-{isolation}" / "recluse"
    package.mkdir(parents=True)
    manifest = Manifest(
        id="recluse",
        name="Recluse",
        version=version,
        description="",
        isolation=isolation,  # type: ignore[arg-type]  # one of the two that there are
        permissions=("api:expose", "storage:read", "storage:write"),
    )
    (package / "manifest.json").write_text(json.dumps(to_json(manifest)))
    (package / "__init__.py").write_text(CODE.format(version=version, setup=setup))
    return Source(text=str(package))


def done(job: Job) -> None:
    assert job.ended.wait(90)
    if job.error is not None:
        raise job.error


def test_an_isolated_plugin_is_upgraded_into_a_new_process_and_back(workshop: Workshop, tmp_path: Path) -> None:
    installer = workshop.start(trial_seconds=0.5).installer
    done(installer.install(write(tmp_path, "1.0.0")))
    first, by = workshop.call("recluse", "where")
    assert by == "1.0.0"

    done(installer.upgrade("recluse", write(tmp_path, "2.0.0")))

    second, by = workshop.call("recluse", "where")
    assert by == "2.0.0"
    assert second != first
    done(installer.rollback("recluse"))
    assert workshop.call("recluse", "where")[1] == "1.0.0"


def test_a_version_whose_process_dies_on_trial_gives_way(workshop: Workshop, tmp_path: Path) -> None:
    installer = workshop.start(trial_seconds=60.0).installer
    done(installer.install(write(tmp_path, "1.0.0")))
    dying = write(tmp_path, "2.0.0", setup="context.later(3.0, lambda: os._exit(3))")

    with pytest.raises(CorehostError, match=r"Version 1\.0\.0 .* are back"):
        done(installer.upgrade("recluse", dying))

    assert workshop.call("recluse", "where")[1] == "1.0.0"


def test_an_upgrade_may_change_how_a_plugin_runs(workshop: Workshop, tmp_path: Path) -> None:
    installer = workshop.start(trial_seconds=0.5).installer
    done(installer.install(write(tmp_path, "1.0.0", isolation="none")))
    assert workshop.call("recluse", "where")[0] == os.getpid()

    done(installer.upgrade("recluse", write(tmp_path, "2.0.0")))
    assert workshop.call("recluse", "where")[0] != os.getpid()
    done(installer.upgrade("recluse", write(tmp_path, "3.0.0", isolation="none")))
    assert workshop.call("recluse", "where") == [os.getpid(), "3.0.0"]
