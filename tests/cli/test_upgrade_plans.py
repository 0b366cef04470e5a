"""An upgrade is looked at before it is made: what it breaks is named, and refused unless it is forced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost.cli.exits import ExitCode
from tests.cli.commands import Done, command, corehost
from tests.serve.kit import Served, until

CLOCK = """
from corehost import ApiSpec, Manifest, Method, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="ticker", name="Ticker", version="{version}", description="Ticks.",
                    permissions=("api:expose", {further}))

@hookimpl
def corehost_api():
    schema = {{"type": "object", "required": {required}}}
    return ApiSpec(version="1.0.0", methods={{"now": Method(handler=lambda input, context: 1, input_schema=schema)}})
"""
CALLER = """
from corehost import Manifest, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="caller", name="Caller", version="1.0.0", description="Calls.",
                    permissions=("plugins:communicate",))

@hookimpl
def corehost_setup(context):
    plugins = context.core.plugins
    context.every(0.1, lambda: plugins.call("ticker", "now", {}) if plugins.has("ticker") else None)
"""


def ticker(folder: Path, version: str, required: str = "[]", further: str = "") -> Path:
    path = folder / version / "ticker"
    path.mkdir(parents=True, exist_ok=True)
    code = CLOCK.format(version=version, required=required, further=further)
    (path / "__init__.py").write_text(code, encoding="utf-8")
    return path


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "data", "--handler-deadline", "5")
    try:
        yield served.ready()
    finally:
        served.kill()


def run(host: Served, *arguments: str | Path) -> Done:
    return command("plugin", *arguments, COREHOST_DATA_DIR=str(host.folder))


def test_an_upgrade_that_breaks_a_live_caller_is_named_and_refused_unless_forced(host: Served, tmp_path: Path) -> None:
    assert run(host, "install", ticker(tmp_path, "1.0.0")).returncode == ExitCode.OK
    (host.folder / "plugins").mkdir(exist_ok=True)
    (host.folder / "plugins" / "caller.py").write_text(CALLER, encoding="utf-8")
    new, asking = ticker(tmp_path, "2.0.0", '["zone"]'), ticker(tmp_path, "3.0.0", '["zone"]', '"storage:read"')
    until(lambda: host.status("caller") == "enabled", "the caller there")
    until(lambda: host.get("/api/plugins/ticker").json()["account"]["calls"].get("method"), "a call seen")
    plan = run(host, "plan", "upgrade", "ticker", asking)
    refused = run(host, "upgrade", "ticker", new)
    version = host.get("/api/plugins/ticker").json()["manifest"]["version"]
    forced = run(host, "upgrade", "ticker", new, "--force")

    assert plan.returncode == ExitCode.FAILED, plan.stderr
    assert "upgrade  1.0.0 to 3.0.0" in plan.stdout
    assert "consent  ticker asks for storage:read: Read what it has kept on this host." in plan.stdout
    assert "obstacle Plugin 'ticker' waits for consent: it asks for storage:read." in plan.stdout
    assert "breaks   caller: method 'now': the input at /zone is required now" in plan.stdout
    assert refused.returncode == ExitCode.FAILED
    assert "For caller: method 'now'" in refused.stderr
    assert version == "1.0.0"
    assert forced.returncode == ExitCode.OK, forced.stderr


def test_a_removal_is_planned(host: Served, tmp_path: Path) -> None:
    assert run(host, "install", ticker(tmp_path, "1.0.0")).returncode == ExitCode.OK

    plan = run(host, "plan", "remove", "ticker", "--json")

    assert json.loads(plan.stdout)["plan"]["unload"] == ["ticker"]
    assert host.status("ticker") == "enabled"
    assert run(host, "plan", "remove", "core-ui").returncode == ExitCode.FAILED


def test_two_versions_are_compared_for_their_author(tmp_path: Path) -> None:
    old, careless, honest = (
        ticker(tmp_path, "1.0.0"),
        ticker(tmp_path, "1.0.1", '["zone"]'),
        ticker(tmp_path, "2.0.0", '["zone"]'),
    )

    assert corehost("plugin", "compare", old, honest).returncode == ExitCode.OK
    done = corehost("plugin", "compare", old, careless)
    assert done.returncode == ExitCode.FAILED
    assert "breaking  method 'now': the input at /zone is required now" in done.stdout
    assert "a major one is due" in done.stdout
