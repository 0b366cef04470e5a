"""The commands against a real `corehost serve`: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost.cli.building import build_manifest
from corehost.cli.exits import ExitCode
from tests.cli.commands import ENVIRONMENT, Run, answer, command, corehost
from tests.serve.kit import PLUGINS, Served, place, until


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("commands") / "data"
    place(folder, "clock")
    place(folder, "bystander")
    served = Served(folder)
    try:
        yield served.ready()
    finally:
        served.kill()


@pytest.fixture
def run(host: Served) -> Run:
    """Run a command that finds the host by its data folder."""
    return lambda *arguments, **options: command(*arguments, COREHOST_DATA_DIR=str(host.folder), **options)


def test_call_prints_the_result(run: Run) -> None:
    assert answer(run("call", "clock", "now", "{}")) == {"zone": "UTC", "caller": None}
    assert answer(run("call", "bystander", "echo", "-", "--json", input='{"a": [1, "ä"]}')) == {"a": [1, "ä"]}
    assert run("call", "bystander", "echo", '"text"').stdout == "text\n"


def test_a_refused_call_names_what_is_wrong(run: Run) -> None:
    done = run("call", "clock", "now", "3")

    assert done.returncode == ExitCode.FAILED
    assert done.stdout == ""
    assert "object" in done.stderr
    assert json.loads(run("call", "clock", "now", "3", "--json").stderr)["errors"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("call", "nobody", "now"), ExitCode.NOT_FOUND),
        (("call", "clock", "nothing"), ExitCode.NOT_FOUND),
        (("call", "clock", "now", "{"), ExitCode.USAGE),
        (("call", "clock"), ExitCode.USAGE),
        (("nonsense",), ExitCode.USAGE),
        (("send", "core:lie"), ExitCode.DENIED),
        (("send", "work:x", "1", "--target", "nobody"), ExitCode.NOT_FOUND),
        (("plugin", "info", "nobody"), ExitCode.NOT_FOUND),
        (("plugin", "disable", "core-ui"), ExitCode.FAILED),
        (("plugin", "list", "--token", "a-wrong-token"), ExitCode.DENIED),
        (("plugin", "list", "--url", "http://127.0.0.1:9"), ExitCode.UNREACHABLE),
        (("serve", "--port", "many"), ExitCode.USAGE),
    ],
)
def test_the_exit_code_says_what_happened(host: Served, arguments: tuple[str, ...], code: ExitCode) -> None:
    done = corehost(*arguments, COREHOST_DATA_DIR=str(host.folder))

    assert done.returncode == code, done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_host_the_way_out_is_told(tmp_path: Path) -> None:
    done = corehost("plugin", "list", "--data-dir", tmp_path)

    assert done.returncode == ExitCode.UNREACHABLE
    assert "corehost serve" in done.stderr
    assert str(tmp_path) in done.stderr


def test_the_hosts_own_token_is_sent_to_nobody_else(run: Run, host: Served) -> None:
    done = run("plugin", "list", "--url", host.url)

    assert done.returncode == ExitCode.DENIED
    assert run("plugin", "list", "--url", host.url, "--token", host.token).returncode == 0


def test_a_setting_that_is_wrong_is_named_before_anything_else(tmp_path: Path) -> None:
    done = corehost("serve", "--data-dir", tmp_path / "data", "--host", "0.0.0.0", COREHOST_THREADS="no")

    assert done.returncode == ExitCode.USAGE
    assert "--public-url" in done.stderr
    assert "COREHOST_THREADS" in done.stderr
    assert not (tmp_path / "data").exists()


def test_list_and_info_show_how_plugins_are(run: Run) -> None:
    lines = run("plugin", "list").stdout.splitlines()
    assert lines[0].split() == ["ID", "VERSION", "STATUS", "SOURCE", "NAME"]
    assert ["clock", "1.0.0", "enabled", "local", "Clock"] in [line.split() for line in lines]
    assert {item["id"] for item in answer(run("plugin", "list", "--json"))["items"]} >= {"clock", "core-ui"}

    info = answer(run("plugin", "info", "clock", "--json"))

    assert info["manifest"]["version"] == "1.0.0"
    assert "now" in json.dumps(info)


def test_a_plugin_that_sleeps_is_listed_so_until_it_is_used(run: Run, host: Served, tmp_path: Path) -> None:
    folder = tmp_path / "sleeper"
    folder.mkdir()
    manifest = {
        "id": "sleeper",
        "name": "Sleeper",
        "version": "1.0.0",
        "description": "",
        "permissions": ["api:expose"],
    }
    (folder / "manifest.json").write_text(json.dumps({**manifest, "activation": "on-demand"}))
    (folder / "__init__.py").write_text(
        "from corehost import ApiSpec, Method, hookimpl\n\n\n@hookimpl\ndef corehost_api():\n"
        "    return ApiSpec(version='1.0.0', methods={'rest': Method(handler=lambda input, context: 'well')})\n"
    )
    build_manifest(folder)
    folder.rename(host.folder / "plugins" / "sleeper")
    until(lambda: host.status("sleeper") == "enabled", "the plugin found")

    listed = [line.split() for line in run("plugin", "list").stdout.splitlines()]
    assert ["sleeper", "1.0.0", "enabled,", "not", "loaded", "yet", "local", "Sleeper"] in listed
    assert run("plugin", "info", "sleeper").stdout.startswith(
        "sleeper is enabled, not loaded yet: its first use loads it.\n{"
    )
    assert answer(run("plugin", "info", "sleeper", "--json"))["loaded"] is False
    host.call("sleeper", "rest")
    assert "not loaded yet" not in run("plugin", "list").stdout


def test_disable_and_enable_switch_a_plugin(run: Run, host: Served) -> None:
    assert run("plugin", "disable", "clock").stdout == "clock is disabled.\n"
    assert host.get("/clock").status == 404
    assert run("call", "clock", "now", "{}").returncode == ExitCode.FAILED

    assert answer(run("plugin", "enable", "clock", "--json")) == {"id": "clock", "status": "enabled"}
    assert host.get("/clock").status == 200


def test_reload_runs_the_code_anew(run: Run) -> None:
    assert run("plugin", "reload", "clock").stdout == "clock is reloaded.\n"
    assert "unload   clock" in run("plugin", "reload", "clock", "--dry-run").stdout
    assert run("plugin", "reload", "nobody").returncode == ExitCode.NOT_FOUND


def test_a_plan_names_what_would_happen_and_what_stands_in_the_way(run: Run, host: Served) -> None:
    run("plugin", "disable", "clock")
    enabling = run("plugin", "plan", "enable", "clock")
    run("plugin", "enable", "clock")
    disabling = run("plugin", "plan", "disable", "core-ui")

    assert enabling.returncode == ExitCode.OK
    assert enabling.stdout.startswith("load     clock\nasks     clock asks for ")
    assert disabling.returncode == ExitCode.FAILED
    assert "obstacle Plugin 'core-ui' is needed by" in disabling.stdout
    assert host.status("core-ui") == "enabled"


def test_a_dry_run_changes_nothing(run: Run, host: Served) -> None:
    plan = answer(run("plugin", "disable", "core-ui", "--cascade", "--dry-run", "--json"))

    assert "core-ui" in json.dumps(plan)
    assert host.status("core-ui") == "enabled"


def test_what_others_need_is_named_when_disabling_is_refused(run: Run) -> None:
    assert "dashboard" in run("plugin", "disable", "core-ui").stderr


def test_send_and_tail_go_over_the_bus(run: Run, host: Served) -> None:
    cursor = host.get("/api/plugins/messages?limit=1").json()["cursor"]
    sent = answer(run("send", "work:sent", '{"n": 1}', "--json"))

    tailed = run("tail", "work:*", "--since", cursor, "--count", "1", "--json")
    shown = run("tail", "work:*", "--since", cursor, "-n", "1")

    assert answer(tailed)["id"] == sent["id"]
    assert 'work:sent  {"n": 1}' in shown.stdout


def test_tail_ends_quietly_when_it_is_told_to(run: Run, host: Served) -> None:
    command = [sys.executable, "-m", "corehost", "tail", "clock:*", "--data-dir", str(host.folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as tailing:
        assert tailing.stdout is not None
        assert tailing.stderr is not None
        assert "clock:tick" in tailing.stdout.readline()
        tailing.send_signal(2)
        assert tailing.wait(30) == 0
        assert tailing.stderr.read() == ""


def test_doctor_finds_a_running_host_well(run: Run) -> None:
    done = run("doctor")

    assert done.returncode == 0, done.stdout
    assert any(line.split()[:3] == ["ok", "host", "ready"] for line in done.stdout.splitlines())
    assert {f["verdict"] for f in answer(run("doctor", "--json"))["findings"]} <= {"ok", "warning"}


def test_doctor_finds_what_is_wrong(tmp_path: Path, host: Served) -> None:
    (tmp_path / "corehost.toml").write_text("thread = 3\n", encoding="utf-8")

    done = corehost("doctor", "--data-dir", tmp_path, "--json")

    assert done.returncode == ExitCode.FAILED
    faults = {f["check"]: f["detail"] for f in json.loads(done.stdout)["findings"] if f["verdict"] == "fault"}
    assert "'thread'" in faults["settings"]
    taken = corehost("doctor", "--data-dir", tmp_path / "other", COREHOST_PORT=str(host.port))
    assert "Choose another with --port" in taken.stdout


def test_doctor_finds_a_plugin_that_failed(host: Served) -> None:
    (host.folder / "plugins" / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    until(lambda: host.status("broken") == "error", "broken found")

    done = corehost("doctor", "--data-dir", host.folder)

    assert "plugin broken" in done.stdout
    (host.folder / "plugins" / "broken.py").unlink()
    until(lambda: host.status("broken") is None, "broken forgotten")


def test_check_says_what_a_plugin_offers() -> None:
    report = answer(corehost("plugin", "check", PLUGINS / "clock.py", "--json"))

    assert report["faults"] == []
    assert report["offers"]["methods"] == ["now"]
    assert report["offers"]["pages"] == ["/clock"]


def test_check_names_every_fault(tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(
        "from corehost import Manifest, hookimpl\n\n\n@hookimpl\ndef corehost_manifest():\n"
        "    return Manifest(id='Faulty', name=' ', version='one', description='', priority='high')\n",
        encoding="utf-8",
    )

    done = corehost("plugin", "check", tmp_path / "faulty.py", "--json")

    assert done.returncode == ExitCode.FAILED
    assert {"/id", "/name", "/version", "/priority"} <= {fault["path"] for fault in json.loads(done.stdout)["faults"]}
    assert "fault(s)" in corehost("plugin", "check", tmp_path / "faulty.py").stdout


def test_check_asks_the_self_test(tmp_path: Path) -> None:
    text = (PLUGINS / "clock.py").read_text(encoding="utf-8")
    failing = "\n\n@hookimpl\ndef corehost_selftest(context):\n    raise RuntimeError('no tower here')\n"
    (tmp_path / "clock.py").write_text(text + failing, encoding="utf-8")

    done = corehost("plugin", "check", tmp_path / "clock.py", "--json")

    assert done.returncode == ExitCode.FAILED
    (fault,) = json.loads(done.stdout)["faults"]
    assert fault["path"] == "corehost_selftest"
    assert "no tower here" in fault["message"]


@pytest.mark.parametrize("name", ["absent", "notes.txt"])
def test_check_refuses_what_is_no_plugin(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("no plugin", encoding="utf-8")

    assert corehost("plugin", "check", tmp_path / name).returncode == ExitCode.NOT_FOUND


def test_a_new_plugin_passes_its_check_and_its_own_tests(tmp_path: Path) -> None:
    assert corehost("plugin", "new", "weather-map", cwd=tmp_path).returncode == 0
    again = corehost("plugin", "new", "weather-map", cwd=tmp_path)
    assert again.returncode == ExitCode.FAILED

    project = tmp_path / "weather-map"

    assert answer(corehost("plugin", "check", project / "weather_map", "--json"))["plugin"] == "weather-map"
    pytest_run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(pytest_run, cwd=project, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_the_help_names_every_command_and_exit_code() -> None:
    text = " ".join(corehost("--help").stdout.split())

    for name in ("serve", "plugin", "call", "send", "tail", "doctor"):
        assert f" {name} " in text
    for code in ExitCode:
        assert f"{code.value} {code.meaning}" in text


def test_an_installed_plugin_adds_commands(tmp_path: Path) -> None:
    (tmp_path / "greeter.py").write_text(
        "import click\nfrom corehost import hookimpl\n\n\n@hookimpl\ndef corehost_commands(cli):\n"
        "    @cli.command()\n    def greet():\n        '''Say hello.'''\n        click.echo('hello')\n",
        encoding="utf-8",
    )
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    info = tmp_path / "greeter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[corehost.plugins]\ngreeter=greeter\nbroken=broken\n", encoding="utf-8")

    done = corehost("greet", PYTHONPATH=str(tmp_path))

    assert done.stdout == "hello\n"
    assert "'broken'" in done.stderr
    assert "Say hello." in corehost("--help", PYTHONPATH=str(tmp_path)).stdout
