"""The account of what plugins did wrong, and the log lines of plugins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from structlog.testing import capture_logs

from corehost.messaging.faults import Blockage
from corehost.plugins.faults import Faults
from corehost.plugins.logger import PluginLogger


@dataclass
class Watching:
    """A warden that remembers."""

    quarantined: list[tuple[str, str]] = field(default_factory=list)
    throttled: list[str] = field(default_factory=list)
    paced: list[int] = field(default_factory=list)

    def throttle(self, owner: str, reason: str) -> None:
        self.throttled.append(reason)

    def quarantine(self, owner: str, reason: str) -> None:
        self.quarantined.append((owner, reason))

    def pace(self, owner: str, count: int) -> None:
        self.paced.append(count)

    def blocked(self, owner: str, blockage: Blockage) -> dict[str, Any]:
        return {"stack": ["here"]}


def test_the_account_belongs_to_a_version() -> None:
    faults, version = Faults(), ["1.0.0"]
    quarantined: list[tuple[str, str]] = []
    faults.join(version_of=lambda _: version[0], warden=Watching(quarantined))

    faults.charge("clock", ValueError("one"), where="handler")
    faults.charge("clock", ValueError("two"), where="handler")
    faults.took("clock", "handler", 0.5)
    faults.took("clock", "handler", 0.25)
    faults.quarantine("clock", "stuck")
    version[0] = "2.0.0"

    assert faults.summary("clock")["errors"] == {}
    old = faults.totals()["clock", "1.0.0"]
    assert (old["errors"], old["calls"], old["seconds"]) == ({"handler": 2}, {"handler": 2}, {"handler": 0.75})
    assert quarantined == [("clock", "stuck")]


def test_a_charge_is_one_log_line_that_names_the_place() -> None:
    def boom() -> None:
        raise ValueError("boom")

    faults = Faults()
    with capture_logs() as lines:
        try:
            boom()
        except ValueError as error:
            faults.charge("clock", error, where="hook")

    assert len(lines) == 1
    assert (lines[0]["plugin"], lines[0]["where"], lines[0]["error"]) == ("clock", "hook", "ValueError: boom")
    assert "test_faults.py:" in lines[0]["at"]
    assert faults.summary("clock")["last"]["error"] == "ValueError: boom"


def test_an_error_that_cannot_even_say_what_it_is_is_charged_all_the_same() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    faults = Faults()
    faults.charge("clock", MuteError(), where="hook")

    assert faults.summary("clock")["last"]["error"] == "MuteError"


def test_a_plugins_secrets_are_not_told_by_its_errors() -> None:
    faults = Faults()
    faults.join(version_of=lambda _: "1.0.0", secrets_of=lambda _: ["hush"])
    faults.charge("clock", ValueError("bad token hush"), where="hook")

    assert faults.summary("clock")["last"]["error"] == "ValueError: bad token ***"


def log(*args: Any, **values: Any) -> Any:
    with capture_logs() as lines:
        PluginLogger("clock", lambda: ["hush"]).info(*args, **values)
    return lines[0]


def test_a_plugins_log_line_bears_its_id_and_takes_arguments_of_any_form() -> None:
    assert log("at %s", 5) == {"event": "at 5", "plugin": "clock", "log_level": "info"}
    assert log("User logged in:", {"id": 1})["args"] == [{"id": 1}]
    assert log("100%")["event"] == "100%"
    assert log("mine", plugin="forged")["plugin"] == "clock"


def test_secrets_are_masked_wherever_they_hide() -> None:
    class Hiding:
        def __repr__(self) -> str:
            return "<hush>"

    line = log("token hush", values=["hush", {"a": "xhushx"}, 5], thing=Hiding())

    assert "hush" not in repr(line)
    assert line["values"] == ["***", {"a": "x***x"}, 5]
