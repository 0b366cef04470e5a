"""Settings of plugins: checked, saved, encrypted, applied live."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from corehost import SECRET_MASK, PermissionSet, UserContext
from corehost.contract.errors import InvalidError, ManifestError, NotFoundError, PermissionDeniedError
from corehost.messaging.trail import Trail, entered
from tests.plugins.workshop import ADMIN, Code, Workshop

SCHEMA = Code(
    """ConfigSchema(properties={
    "layout": ConfigProperty(type="string", enum=("grid", "list"), default="grid"),
    "seconds": ConfigProperty(type="number", default=30, minimum=1, maximum=60),
    "tags": ConfigProperty(type="array", items={"type": "string"}),
    "token": ConfigProperty(type="string", secret=True),
})"""
)
BODY = """
@hookimpl
def corehost_setup(context):
    global CONTEXT
    CONTEXT = context
    context.logger.info("token is %s", context.config.get("token"), token=[context.config.get("token")])

@hookimpl
def corehost_configure(config):
    if config["seconds"] == 13:
        raise ValueError("13 brings bad luck")

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"config": Method(handler=lambda i, c: dict(CONTEXT.config))})
"""
EXPOSE = ("api:expose",)


@pytest.fixture
def clock(workshop: Workshop) -> Workshop:
    workshop.write("clock", BODY, config_schema=SCHEMA, permissions=EXPOSE)
    workshop.start()
    assert workshop.status("clock") == "enabled", workshop.error("clock")
    return workshop


def test_defaults_are_filled_in_and_a_change_applies_live_and_is_told(clock: Workshop) -> None:
    config, told = clock.plugins.config, threading.Event()
    keys: list[Any] = []

    def hear(message: Any) -> None:
        keys.append(message.payload)
        told.set()

    clock.bus.subscribe("core:config:changed", hear)
    assert config.get("clock") == {"layout": "grid", "seconds": 30, "token": None}

    config.set("clock", {"seconds": 5, "tags": ["a"]}, user=ADMIN)

    assert clock.call("clock", "config") == {"layout": "grid", "seconds": 5, "tags": ["a"]}
    assert told.wait(10)
    assert keys == [{"id": "clock", "keys": ["seconds", "tags"]}]
    clock.restart()
    assert clock.call("clock", "config")["seconds"] == 5


def test_every_fault_is_named_at_once_and_nothing_is_changed(clock: Workshop) -> None:
    with pytest.raises(InvalidError) as refused:
        clock.plugins.config.set(
            "clock", {"layout": "round", "seconds": 0, "tags": [1], "colour": "red", "token": 7}, user=ADMIN
        )

    assert {fault.path for fault in refused.value.faults} == {"/layout", "/seconds", "/tags/0", "", "/token"}
    assert clock.call("clock", "config") == {"layout": "grid", "seconds": 30}
    with pytest.raises(InvalidError):
        clock.plugins.config.set("clock", [], user=ADMIN)  # type: ignore[arg-type]  # what a careless caller sends


def test_a_secret_is_never_read_back_nor_stored_nor_logged_in_the_clear(
    clock: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    config = clock.plugins.config
    assert config.set("clock", {"token": "hush-hush"}, user=ADMIN)["token"] == SECRET_MASK
    assert clock.call("clock", "config")["token"] == "hush-hush"
    config.set("clock", {"token": SECRET_MASK, "seconds": 2}, user=ADMIN)
    config.set("clock", {"seconds": 3}, user=ADMIN)
    clock.restart()
    assert clock.call("clock", "config")["token"] == "hush-hush"

    on_disk = b"".join(path.read_bytes() for path in Path(clock.data).glob("host.db*"))
    assert b"seconds" in on_disk
    assert b"hush-hush" not in on_disk
    assert (clock.data / "secret.key").stat().st_mode & 0o777 == 0o600
    assert "hush-hush" not in capsys.readouterr().out
    assert config.set("clock", {"token": None}, user=ADMIN)["token"] is None


def test_a_plugin_may_refuse_a_change_in_its_own_words(clock: Workshop) -> None:
    with pytest.raises(InvalidError, match="13 brings bad luck") as refused:
        clock.plugins.config.set("clock", {"seconds": 13}, user=ADMIN)

    assert [fault.path for fault in refused.value.faults] == [""]
    assert clock.plugins.config.get("clock")["seconds"] == 30


def test_who_may_not_manage_may_not_configure(clock: Workshop) -> None:
    user = UserContext(id="ann", permissions=PermissionSet({"plugin:clock:use"}))
    with pytest.raises(PermissionDeniedError, match="plugin:clock:manage"):
        clock.plugins.config.set("clock", {}, user=user)
    with pytest.raises(PermissionDeniedError):
        clock.plugins.config.read("clock", user=user)
    with pytest.raises(PermissionDeniedError):
        clock.plugins.config.set("clock", {}, user=None)


def test_a_plugin_may_configure_others_for_a_user_who_manages_them(clock: Workshop) -> None:
    clock.write("settings", BODY.replace('config["seconds"] == 13', "False"), permissions=(*EXPOSE, "host:configure"))
    clock.plugins.lifecycle.rescan()
    peers = clock.registry.get("settings").module.CONTEXT.core.plugins  # type: ignore[union-attr]  # it is loaded

    with pytest.raises(PermissionDeniedError):
        peers.set_config("clock", {"seconds": 4})
    with entered(Trail(user=ADMIN)):
        assert peers.set_config("clock", {"seconds": 4})["seconds"] == 4
        assert peers.get_config("clock")["token"] is None
        with pytest.raises(NotFoundError):
            peers.get_config("nobody")


def test_a_required_setting_that_is_missing_keeps_a_plugin_off_until_it_is_set(workshop: Workshop) -> None:
    schema = Code('ConfigSchema(properties={"key": ConfigProperty(type="string")}, required=("key",))')
    workshop.write("clock", config_schema=schema)
    lifecycle = workshop.start().lifecycle
    assert "'key' is a required property" in workshop.error("clock") or '"key"' in workshop.error("clock")
    with pytest.raises(ManifestError, match="Set them"):
        lifecycle.enable("clock")

    workshop.plugins.config.set("clock", {"key": "x"}, user=ADMIN)
    assert lifecycle.enable("clock").is_enabled


def test_settings_that_a_newer_version_no_longer_knows_are_left_aside(clock: Workshop) -> None:
    clock.plugins.config.set("clock", {"seconds": 50, "layout": "list"}, user=ADMIN)
    newer = Code('ConfigSchema(properties={"seconds": ConfigProperty(type="number", default=5, maximum=10)})')
    clock.write("clock", BODY, config_schema=newer, permissions=EXPOSE)
    clock.restart()

    assert clock.call("clock", "config") == {"seconds": 5}
