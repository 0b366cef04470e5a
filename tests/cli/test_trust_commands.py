"""Grants and the audit log at the command line, on a real host."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Done, command
from tests.serve.kit import Served


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("trust") / "data")
    yield served.ready()
    served.kill()


def corehost(host: Served, *arguments: str) -> Done:
    return command(*arguments, "--data-dir", host.folder)


def test_what_a_plugin_may_do_is_listed_revoked_and_granted(host: Served) -> None:
    assert "Keep data of its own" in corehost(host, "plugin", "grants", "analytics").stdout

    revoked = corehost(host, "plugin", "revoke", "analytics", "storage:write", "--json")
    assert revoked.returncode == 0, revoked.stderr
    granted = {item["permission"]: item["granted"] for item in json.loads(revoked.stdout)["items"]}
    assert granted["storage:write"] is False
    assert granted["storage:read"] is True

    assert "yes" in corehost(host, "plugin", "grant", "analytics", "storage:write").stdout
    assert corehost(host, "plugin", "grant", "analytics", "host:configure").returncode != 0


def test_who_waits_for_nothing_needs_no_consent(host: Served) -> None:
    assert "waits for nobody" in corehost(host, "plugin", "consent", "analytics", "--yes").stdout


def test_the_log_is_read_by_filters(host: Served) -> None:
    corehost(host, "plugin", "grant", "dashboard", "storage:read")

    lines = corehost(host, "audit", "--action", "grant:", "--subject", "dashboard", "--since", "1h", "--json").stdout
    (entry,) = [json.loads(line) for line in lines.splitlines()]

    assert (entry["action"], entry["subject"], entry["outcome"]) == ("grant:give", "dashboard", "done")
    assert "dashboard" in corehost(host, "audit", "--action", "grant:").stdout
    assert corehost(host, "audit", "--since", "yesterday-ish").returncode == 2


def test_the_log_is_followed_as_it_grows(host: Served, tmp_path: Path) -> None:
    follow = [
        sys.executable,
        "-u",
        "-m",
        "corehost",
        "audit",
        "--follow",
        "--action",
        "grant:revoke",
        "--json",
    ]
    with subprocess.Popen([*follow, "--data-dir", str(host.folder)], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        host.request("PUT", "/api/plugins/settings/grants", {"grants": {"user:read": False}})
        for line in following.stdout:
            if json.loads(line)["subject"] == "settings":
                break
        following.kill()
    assert json.loads(line)["detail"] == {"permission": "user:read"}
