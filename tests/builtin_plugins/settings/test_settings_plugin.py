from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from corehost import InvalidError, PermissionDeniedError, PermissionSet, UserContext
from corehost.messaging.trail import Trail, entered
from corehost.testing import HostFactory, MemoryHost, Messages
from tests.serve.kit import until

ROOT = UserContext(id="root", permissions=PermissionSet({"*"}))
ADA = UserContext(id="ada", permissions=PermissionSet({"plugin:settings:use", "plugin:core-ui:use"}))

STATION = '''
"""Station: has settings of every type."""
from corehost import ConfigProperty, ConfigSchema, Manifest, hookimpl, ApiSpec, Method

held = {}

@hookimpl
def corehost_manifest():
    return Manifest(id="station", name="Station", version="1.0.0", description="Measures.", permissions=("api:expose",),
        config_schema=ConfigSchema(properties={
            "place": ConfigProperty(type="string", title="Place", default="Bern"),
            "token": ConfigProperty(type="string", title="Token", secret=True),
            "interval": ConfigProperty(type="number", title="Interval", default=30, minimum=5),
            "metric": ConfigProperty(type="boolean", title="Metric", default=True),
            "level": ConfigProperty(type="string", title="Level", enum=("low", "high"), default="low"),
            "cities": ConfigProperty(type="array", items={"type": "string", "maxLength": 5}, default=[]),
        }))

@hookimpl
def corehost_setup(context):
    held["context"] = context

@hookimpl
def corehost_api():
    read = Method(handler=lambda input, context: dict(held["context"].config))
    return ApiSpec(version="1.0.0", methods={"read": read})

@hookimpl
def corehost_configure(config):
    if config["place"] == "Atlantis":
        raise ValueError("Atlantis has no station.")
'''


@pytest.fixture
def host(corehost_host: HostFactory, tmp_path: Path) -> MemoryHost:
    file = tmp_path / "station.py"
    file.write_text(STATION)
    return corehost_host("core-ui", "settings", file)


def save(host: MemoryHost, **form: Any) -> Any:
    whole = {"place": "Bern", "interval": "30", "metric": "true", "level": '"low"', **form}
    return host.post("/settings/plugins/station", data=whole)


def config(host: MemoryHost) -> dict[str, Any]:
    values: dict[str, Any] = host.call("station", "read")
    return values


def test_the_form_shows_every_setting_with_its_value(host: MemoryHost) -> None:
    form = host.get("/settings/plugins/station").text

    assert re.search(r'type="text" value="Bern"[^>]*name="place"', form)
    assert re.search(r'type="number" value="30"[^>]*name="interval"[^>]*min="5"', form)
    assert re.search(r'role="switch"[^>]*checked', form)
    assert '<option value="&#34;low&#34;" selected>low</option>' in form
    assert 'type="password" value=""' in form


def test_what_is_saved_applies_at_once_and_is_told(host: MemoryHost, messages: Messages) -> None:
    answer = save(host, place="Zürich", interval="12.5", level='"high"', cities="Bern\n\nGenf")

    assert answer.status_code == 303
    assert "Saved" in host.get(answer.headers["Location"]).text
    assert config(host) == {
        "place": "Zürich", "interval": 12.5, "metric": True, "level": "high", "cities": ["Bern", "Genf"]
    }  # fmt: skip
    told = messages.wait_for("settings:config:changed").payload
    assert told == {"plugin": "station", "settings": ["cities", "interval", "level", "place"]}


def test_every_fault_is_shown_at_its_field_and_nothing_is_saved(host: MemoryHost) -> None:
    answer = save(host, interval="1", level='"loud"', cities="Bern\nRapperswil", place="Chur")

    assert answer.status_code == 422
    for name in ("interval", "level", "cities"):
        assert re.search(rf'id="field-{name}-error"', answer.text), name
    assert "Line 2:" in answer.text
    assert 'value="Chur"' in answer.text, "what was typed must not be lost"
    assert config(host)["place"] == "Bern"


def test_the_plugins_own_refusal_is_shown(host: MemoryHost) -> None:
    answer = save(host, place="Atlantis")

    assert answer.status_code == 422
    assert "Atlantis has no station." in answer.text


def test_a_secret_is_written_and_never_read_back(host: MemoryHost) -> None:
    save(host, token="s3cret")

    assert config(host)["token"] == "s3cret"
    page = host.get("/settings/plugins/station").text
    assert "s3cret" not in page
    assert "It is set" in page


def test_a_secret_stays_if_its_field_is_left_empty_and_goes_if_asked(host: MemoryHost) -> None:
    save(host, token="s3cret")
    save(host, token="")
    assert config(host)["token"] == "s3cret"

    save(host, token="", **{"forget.token": "true"})
    assert config(host).get("token") is None


def test_an_unknown_plugin_is_not_found(host: MemoryHost) -> None:
    assert host.get("/settings/plugins/nothing").status_code == 404


def test_a_plugin_without_settings_says_so(host: MemoryHost) -> None:
    assert "Nothing to set" in host.get("/settings/plugins/settings").text


def test_who_does_not_manage_a_plugin_cannot_read_or_write_its_settings(host: MemoryHost) -> None:
    asked: tuple[tuple[str, dict[str, Any]], ...] = (("getConfig", {}), ("setConfig", {"values": {}}))
    for method, input in asked:
        with pytest.raises(PermissionDeniedError):
            host.call("settings", method, {"plugin": "station", **input}, user=ADA)


def test_tools_read_and_change_single_settings(host: MemoryHost) -> None:
    host.call("settings", "setConfig", {"plugin": "station", "values": {"token": "s3cret"}}, user=ROOT)
    host.call("settings", "setConfig", {"plugin": "station", "values": {"place": "Chur"}}, user=ROOT)

    read = host.call("settings", "getConfig", {"plugin": "station"}, user=ROOT)
    assert (read["place"], read["token"]) == ("Chur", "********")
    assert config(host)["token"] == "s3cret"


def test_tools_are_told_of_a_wrong_setting(host: MemoryHost) -> None:
    with pytest.raises(InvalidError) as refused:
        host.call("settings", "setConfig", {"plugin": "station", "values": {"interval": 1, "mood": "x"}}, user=ROOT)

    assert len(refused.value.faults) == 2


def test_other_plugins_cannot_use_the_grant_of_settings(host: MemoryHost) -> None:
    with pytest.raises(PermissionDeniedError, match="host:configure"):
        host.call("settings", "getConfig", {"plugin": "station"}, caller="station", user=ROOT)


def test_the_message_of_the_specification_changes_the_theme_of_whoever_sends_it(
    host: MemoryHost, messages: Messages
) -> None:
    with entered(Trail(user=ADA)):
        answer = host.bus.request("settings:update", {"theme": "dark"}, target="settings")

    assert answer == {"updated": ["theme"]}
    assert host.call("core-ui", "getTheme", {}, user=ADA) == {"theme": "dark"}
    assert messages.wait_for("settings:theme:changed").payload == {"user": "ada", "theme": "dark"}
    assert messages.wait_for("user:preferences:changed").payload["userId"] == "ada"


def test_without_a_user_the_message_changes_nothing(host: MemoryHost) -> None:
    assert host.bus.request("settings:update", {"theme": "dark"}) == {"updated": []}


def test_the_overview_follows_the_plugins(host: MemoryHost) -> None:
    host.disable("station")

    until(lambda: host.store("settings", "overview")["enabled"] == 2, "it to be counted")
    assert host.store("settings", "overview")["total"] >= 3


def test_its_pages_are_there(host: MemoryHost) -> None:
    assert host.get("/settings").status_code == 302
    for path in ("/settings/plugins", "/settings/appearance"):
        assert host.get(path).status_code == 200


def test_the_form_of_a_plugin_is_for_those_who_manage_it(corehost_host: HostFactory, tmp_path: Path) -> None:
    file = tmp_path / "station.py"
    file.write_text(STATION)
    host = corehost_host("core-ui", "settings", file, Path(__file__).parent.parent / "people.py")
    held = ("Person ada", "plugin:settings:use", "plugin:core-ui:use")

    refused = host.get("/settings/plugins/station", headers={"Authorization": ",".join(held)})
    shown = host.get("/settings/plugins/station", headers={"Authorization": ",".join((*held, "plugin:station:manage"))})

    assert refused.status_code == 403
    assert shown.status_code == 200


NEEDY = '''
"""Needy: cannot work without its address."""
from corehost import ConfigProperty, ConfigSchema, Manifest, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="needy", name="Needy", version="1.0.0", description="Needs to know.", config_schema=ConfigSchema(
        properties={"address": ConfigProperty(type="string", title="Address")}, required=("address",)))
'''


def test_a_plugin_that_fails_for_want_of_a_setting_is_helped_by_its_form(
    corehost_host: HostFactory, tmp_path: Path
) -> None:
    file = tmp_path / "needy.py"
    file.write_text(NEEDY)
    host = corehost_host("core-ui", "settings", file, check=False)
    assert host.status("needy") == "error"

    empty = host.post("/settings/plugins/needy", data={"address": ""})
    filled = host.post("/settings/plugins/needy", data={"address": "here"})
    host.enable("needy")

    assert empty.status_code == 422
    assert "This is required." in empty.text
    assert filled.status_code == 303
    assert host.status("needy") == "enabled"
