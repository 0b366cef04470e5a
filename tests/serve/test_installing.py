"""Plugins that are installed, upgraded and removed on a real host, by the real command."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corehost.cli.exits import ExitCode
from tests.cli.commands import Done, command
from tests.serve.conftest import Serving
from tests.serve.kit import Served, until

CODE = """
from corehost import ApiSpec, Manifest, Method, Route, RoutesSpec, StoresSpec, hookimpl, writable

visits = writable(0)

@hookimpl
def corehost_manifest():
    permissions = ("api:expose", "routes:register", "storage:read", "storage:write")
    return Manifest(id="greeter", name="Greeter", version={version!r}, description="", permissions=permissions)

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"version": Method(handler=lambda input, context: {version!r})}})

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/greeter", routes=(Route(path="/", view=lambda: "<h1>{version}</h1>"),))

@hookimpl
def corehost_setup(context):
    {setup}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def version(text: str, setup: str = "pass") -> Path:
        folder = tmp_path / text / "greeter"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(CODE.format(version=text, setup=setup))
        return folder

    return version


def corehost(served: Served, *arguments: Any, url: bool = False) -> Done:
    where = ("--url", served.url, "--token", served.token) if url else ("--data-dir", served.folder)
    return command("plugin", *arguments, *where, "--json")


def done(served: Served, *arguments: Any, url: bool = False) -> Any:
    ended = corehost(served, *arguments, url=url)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def refused(served: Served, code: ExitCode, *arguments: Any) -> str:
    ended = corehost(served, *arguments)
    assert ended.returncode == code, (ended.returncode, ended.stdout, ended.stderr)
    return str(json.loads(ended.stderr)["detail"])


def test_a_plugin_comes_changes_and_goes_by_the_command(serving: Serving, write: Callable[..., Path]) -> None:
    served = serving(flags=("--upgrade-trial", "0.5"))
    first, second = write("1.0.0"), write("2.0.0")
    with served.browser() as browser:
        browser.call("bus.subscribe", type="core:install:progress")

        assert done(served, "install", first)["version"] == "1.0.0"
        assert served.call("greeter", "version") == "1.0.0"
        steps = [browser.message("core:install:progress")["payload"]["step"] for _ in range(4)]
        assert steps == ["fetching", "trying", "switching", "ended"]

    assert "already" in refused(served, ExitCode.FAILED, "install", second)
    job = done(served, "upgrade", "greeter", second, "--wait")
    assert (job["replaced"], job["version"], job["state"]) == ("1.0.0", "2.0.0", "done")
    assert served.call("greeter", "version") == "2.0.0"
    info = done(served, "info", "greeter")
    assert (info["installed"]["previous"], info["installed"]["onTrial"]) == ("1.0.0", False)
    assert "older" in refused(served, ExitCode.FAILED, "upgrade", "greeter", first)
    assert done(served, "rollback", "greeter", "--wait")["version"] == "1.0.0"
    assert done(served, "remove", "greeter", "--purge")["state"] == "done"
    assert served.get("/api/plugins/greeter").status == 404
    assert refused(served, ExitCode.NOT_FOUND, "upgrade", "greeter", first)
    assert "built in" in refused(served, ExitCode.FAILED, "remove", "dashboard")
    assert not served.tracebacks()


def test_a_host_that_is_elsewhere_is_sent_the_plugin(serving: Serving, write: Callable[..., Path]) -> None:
    served = serving()

    job = done(served, "install", write("1.0.0"), url=True)

    assert job["source"] == "greeter.zip"
    assert served.call("greeter", "version") == "1.0.0"


def test_a_version_that_fails_on_trial_gives_way_and_the_command_says_why(
    serving: Serving, write: Callable[..., Path]
) -> None:
    served = serving(flags=("--upgrade-errors", "2"))
    done(served, "install", write("1.0.0"))
    failing = write("2.0.0", "context.every(0.01, lambda: 1 / 0)")

    text = refused(served, ExitCode.FAILED, "upgrade", "greeter", failing, "--wait")

    assert "division by zero" in text
    assert "Version 1.0.0 of plugin 'greeter' and its storage are back" in text
    assert served.call("greeter", "version") == "1.0.0"
    assert "division by zero" in done(served, "info", "greeter")["installed"]["last"]["error"]


def test_upgrades_cost_others_no_request_and_no_socket(serving: Serving, write: Callable[..., Path]) -> None:
    served = serving("clock", flags=("--upgrade-trial", "0.1"))
    done(served, "install", write("1.0.0"))
    answers: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.005):
            answers.append(served.get("/clock").status)

    asking = threading.Thread(target=ask)
    with served.browser() as browser:
        browser.call("bus.subscribe", type="core:plugin:upgraded")
        asking.start()
        for number in range(2, 5):
            done(served, "upgrade", "greeter", write(f"{number}.0.0"), "--wait")
            assert browser.message("core:plugin:upgraded")["payload"]["version"] == f"{number}.0.0"
        ended.set()
        asking.join()

    assert set(answers) == {200}
    assert served.get("/greeter").text.count("<h1>4.0.0</h1>") == 1


def test_a_host_that_is_killed_on_trial_goes_on_with_it_and_the_second_time_takes_it_back(
    serving: Serving, write: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    served = serving(folder=folder, flags=("--upgrade-trial", "600"))
    done(served, "install", write("1.0.0"))
    assert done(served, "upgrade", "greeter", write("2.0.0"))["step"] == "watching"

    for version in ("2.0.0", "1.0.0"):
        served.kill()
        served = serving(folder=folder, flags=("--upgrade-trial", "600"))
        until(lambda served=served: served.status("greeter") == "enabled", "greeter enabled")  # type: ignore[misc]  # bound
        assert served.call("greeter", "version") == version

    assert "ended twice" in done(served, "info", "greeter")["installed"]["last"]["error"]
