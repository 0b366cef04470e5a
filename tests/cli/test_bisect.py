"""`corehost plugin bisect` against a real host: it finds the plugin, and puts everything back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost.cli.exits import ExitCode
from tests.serve.kit import Served, until

PLUGIN = """
from corehost import ApiSpec, Manifest, Method, PluginDependency, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="{id}", name="{id}", version="1.0.0", description="One of many.", permissions=("api:expose",),
                    dependencies=tuple(PluginDependency(plugin_id=name, version="*") for name in {needs!r}))

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"there": Method(handler=lambda input, context: True)}})
"""
NAMES = ("ant", "bee", "cat", "dog", "eel")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bisect") / "data"
    (folder / "plugins").mkdir(parents=True)
    for name in NAMES:
        needs = ("ant",) if name == "dog" else ()
        (folder / "plugins" / f"{name}.py").write_text(PLUGIN.format(id=name, needs=needs), encoding="utf-8")
    served = Served(folder)
    try:
        yield served.ready()
    finally:
        served.kill()


def begin(host: Served, *arguments: str) -> subprocess.Popen[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("COREHOST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "corehost", "plugin", "bisect", "--data-dir", str(host.folder), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean,
    )


def bisect(host: Served, *arguments: str, input: str = "") -> tuple[int, str, str]:
    process = begin(host, *arguments)
    said, told = process.communicate(input, timeout=120)
    return process.returncode, said, told


def problem_of(tmp_path: Path, host: Served, *culprits: str) -> str:
    """Return a command that fails while all of *culprits* are enabled."""
    script = tmp_path / "see.py"
    script.write_text(
        "import sys\n"
        "from corehost.client import HostClient\n"
        f"with HostClient({host.url!r}, {host.token!r}) as host:\n"
        "    on = {item['id'] for item in host.plugins() if item['status'] == 'enabled'}\n"
        f"sys.exit(1 if set({culprits!r}) <= on else 0)\n",
        encoding="utf-8",
    )
    return f"{sys.executable} {script}"


def all_are_on(host: Served) -> bool:
    return all(host.status(name) == "enabled" for name in NAMES)


def test_a_command_finds_the_plugin_and_everything_is_on_again(host: Served, tmp_path: Path) -> None:
    code, said, told = bisect(host, "--command", problem_of(tmp_path, host, "dog"))

    assert (code, said) == (ExitCode.OK, "It is dog.\n"), told
    assert all_are_on(host)


def test_two_plugins_that_act_together_are_found(host: Served, tmp_path: Path) -> None:
    code, said, told = bisect(host, "--json", "--command", problem_of(tmp_path, host, "bee", "eel"))

    assert code == ExitCode.OK, told
    assert sorted(json.loads(said)["culprits"]) == ["bee", "eel"]
    assert all_are_on(host)


def test_answers_may_be_given_by_hand(host: Served) -> None:
    # All: yes; none: yes.
    code, said, _ = bisect(host, input="y\ny\n")

    assert code == ExitCode.FAILED
    assert "No plugin causes it" in said
    assert all_are_on(host)


def test_a_command_that_cannot_tell_ends_the_search_and_everything_is_on_again(host: Served) -> None:
    code, _, told = bisect(host, "--command", "exit 125")

    assert code == ExitCode.FAILED
    assert "says neither yes nor no" in told
    assert all_are_on(host)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_puts_everything_back(host: Served, number: signal.Signals) -> None:
    process = begin(host)
    assert process.stdin is not None
    process.stdin.write("y\n")  # it is there with all on; now all are switched off, and it asks again
    process.stdin.flush()
    until(lambda: not any(host.status(name) == "enabled" for name in NAMES), "all suspects off")

    process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode != 0
    assert all_are_on(host)
