"""`corehost user`, `role` and `token`, against a running host and against the data folder of one that does not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost.cli.exits import ExitCode
from corehost.state.database import HostDatabase
from tests.cli.commands import Run, answer, command, corehost
from tests.serve.kit import Served

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("people") / "data").ready()
    yield served
    served.kill()


@pytest.fixture
def idle(tmp_path: Path) -> Path:
    """The data folder of a host that has run before."""
    folder = tmp_path / "data"
    HostDatabase(folder).close()
    return folder


@pytest.fixture(params=["running", "idle"])
def run(request: pytest.FixtureRequest) -> Run:
    folder = request.getfixturevalue("host").folder if request.param == "running" else request.getfixturevalue("idle")
    return lambda *arguments, **options: command(*arguments, COREHOST_DATA_DIR=str(folder), **options)


def test_a_user_is_added_changed_and_removed(run: Run) -> None:
    assert run("user", "add", "Ann", "--role", "member").returncode == 0
    assert answer(run("user", "show", "ann", "--json"))["hasPassword"] is False

    assert run("user", "passwd", "ann", "--password-stdin", input=f"{PASSWORD}\n").returncode == 0
    assert (
        run("user", "role", "ann", "--add", "operator", "--remove", "member").stdout == "ann has the role operator.\n"
    )
    assert run("user", "disable", "ann").returncode == 0
    shown = answer(run("user", "show", "ann", "--json"))
    assert (shown["roles"], shown["hasPassword"], shown["disabled"]) == (["operator"], True, True)
    assert "disabled" in run("user", "list").stdout
    assert run("user", "enable", "ann").returncode == 0

    assert run("user", "remove", "ANN").returncode == 0
    missing = run("user", "show", "ann")
    assert missing.returncode == ExitCode.NOT_FOUND
    assert "There is no user 'ann'" in missing.stderr


def test_a_role_is_made_and_removed(run: Run) -> None:
    made = run("role", "set", "reader", "--permission", "plugin:*:use", "--permission", "core:read")
    assert made.stdout == "reader may: core:read, plugin:*:use.\n"
    assert "reader" in run("role", "list").stdout
    assert run("role", "remove", "reader").returncode == 0
    assert "cannot be removed" in run("role", "remove", "administrator").stderr


def test_a_token_is_printed_once(run: Run) -> None:
    made = answer(run("token", "create", "build", "--user", "admin", "--permission", "core:read", "--json"))
    secret, token = made["secret"], made["token"]
    assert secret.startswith("corehost_")

    listed = run("token", "list")
    assert token["id"] in listed.stdout
    assert secret not in listed.stdout
    assert run("token", "revoke", token["id"]).returncode == 0
    assert token["id"] not in run("token", "list", "--user", "admin").stdout


def test_what_is_wrong_is_named(run: Run) -> None:
    for arguments, text in (
        (("user", "add", "a b"), "This name cannot be used"),
        (("user", "add", "bob", "--role", "nope"), "There is no role 'nope'"),
        (("user", "disable", "admin"), "nobody who may do everything"),
        (("token", "create", "x", "--user", "nobody"), "There is no user 'nobody'"),
        (("token", "create", "x", "--user", "admin", "--expires", "soon"), "no duration"),
    ):
        done = run(*arguments)
        assert done.returncode != 0, arguments
        assert text in done.stderr
    short = run("user", "passwd", "admin", "--password-stdin", input="short\n")
    assert "/password" in short.stderr


def test_a_link_signs_in_without_a_restart(host: Served) -> None:
    made = answer(corehost("user", "link", "admin", "--json", COREHOST_DATA_DIR=str(host.folder)))
    code = made["url"].partition("code=")[2]
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": host.url}
    first, second = (
        host.request("POST", "/signin", body=f"code={code}".encode(), headers=kind, token=False) for _ in range(2)
    )
    assert (first.status, second.status) == (303, 403)


def test_a_link_needs_a_running_host(idle: Path) -> None:
    done = corehost("user", "link", "admin", COREHOST_DATA_DIR=str(idle))
    assert done.returncode == ExitCode.UNREACHABLE
    assert "corehost serve" in done.stderr


def test_a_folder_that_no_host_has_had_is_left_alone(tmp_path: Path) -> None:
    done = corehost("user", "list", COREHOST_DATA_DIR=str(tmp_path / "typo"))
    assert done.returncode == ExitCode.UNREACHABLE
    assert "No host has ever run" in done.stderr
    assert not (tmp_path / "typo").exists()


def test_what_was_done_without_a_host_is_in_the_audit_log(idle: Path) -> None:
    corehost("user", "add", "ann", COREHOST_DATA_DIR=str(idle))
    database = HostDatabase(idle)
    try:
        assert [(entry.action, entry.subject) for entry in database.audit.read()] == [("user:create", "user:ann")]
    finally:
        database.close()
