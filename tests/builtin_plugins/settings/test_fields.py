from __future__ import annotations

from typing import Any

import pytest

from builtin_plugins.settings.fields import all_fields, fields_of, is_set, shown
from builtin_plugins.settings.submission import errors_by_field, read
from corehost import SECRET_MASK, ConfigProperty, ConfigSchema, Fault

SCHEMA = ConfigSchema(
    required=("station", "token"),
    properties={
        "station": ConfigProperty(type="string", title="Station"),
        "token": ConfigProperty(type="string", secret=True),
        "interval": ConfigProperty(type="number", default=30, minimum=5, maximum=600),
        "metric": ConfigProperty(type="boolean", default=True),
        "level": ConfigProperty(type="number", enum=(1, 2.5)),
        "days": ConfigProperty(type="array", items={"enum": ["Mon", "Tue"]}, default=["Mon"]),
        "cities": ConfigProperty(type="array", items={"type": "string"}),
        "ports": ConfigProperty(type="array", items={"type": "integer"}),
        "proxy": ConfigProperty(
            type="object",
            properties={"host": {"type": "string"}, "port": {"type": "integer"}, "deep": {"type": "object"}},
        ),
        "extra": ConfigProperty(type="object"),
    },
)
FIELDS = fields_of(SCHEMA)
BY_NAME = {one.name: one for one in all_fields(FIELDS)}


def test_every_type_gets_the_control_that_suits_it() -> None:
    assert {name: one.kind for name, one in BY_NAME.items()} == {
        "station": "text",
        "token": "password",
        "interval": "number",
        "metric": "switch",
        "level": "select",
        "days": "checks",
        "cities": "lines",
        "ports": "lines",
        "proxy.host": "text",
        "proxy.port": "number",
        "proxy.deep": "json",
        "extra": "json",
    }


def test_limits_and_default_are_told_to_the_browser() -> None:
    assert BY_NAME["interval"].attributes == {"step": "any", "min": 5, "max": 600, "placeholder": "30"}


def test_an_open_choice_can_be_left_unset_and_its_values_keep_their_type() -> None:
    assert BY_NAME["level"].options == [("", "not set"), ("1", "1"), ("2.5", "2.5")]


def submitted(config: dict[str, Any]) -> dict[str, list[str]]:
    """Return what a browser sends back for *config* as the form shows it."""
    form: dict[str, list[str]] = {}
    for one in BY_NAME.values():
        value = shown(one, config)
        if one.kind == "switch":
            form |= {one.name: ["true"]} if value else {}
        else:
            form[one.name] = value if one.kind == "checks" else [value]
    return form


def test_a_form_sent_back_untouched_changes_nothing() -> None:
    config = {
        "station": "Bern",
        "token": SECRET_MASK,
        "interval": 30,
        "metric": False,
        "level": 2.5,
        "days": ["Mon", "Tue"],
        "cities": ["Bern", "Zürich"],
        "ports": [80, 8.5],
        "proxy": {"host": "proxy", "port": 3128, "deep": {"a": [1]}},
        "extra": {"x": None},
    }

    assert read(FIELDS, submitted(config)) == (config, [])


def test_a_secret_is_never_in_the_form() -> None:
    assert shown(BY_NAME["token"], {"token": SECRET_MASK}) == ""
    assert is_set(BY_NAME["token"], {"token": SECRET_MASK})
    assert not is_set(BY_NAME["token"], {"token": None})


def test_a_secret_can_be_forgotten() -> None:
    values, _ = read(FIELDS, {"station": ["x"], "forget.token": ["true"]})

    assert values["token"] is None


def test_an_empty_control_leaves_its_setting_out() -> None:
    values, faults = read(FIELDS, {"station": ["Bern"], "interval": [""], "extra": [" "], "level": [""]})

    assert faults == []
    assert set(values) == {"station", "token", "metric", "days", "cities", "ports"}


@pytest.mark.parametrize(
    ("name", "typed", "text"),
    [
        ("interval", "soon", "'soon' is no number."),
        ("extra", "{", "This is no JSON"),
        ("ports", "80\nhttp", "'http' is no number."),
        ("station", "", "This is required."),
        ("extra", "[" * 100_000, "This is no JSON"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field(name: str, typed: str, text: str) -> None:
    _, faults = read(FIELDS, {"station": ["Bern"], name: [typed]})

    errors, rest = errors_by_field(FIELDS, faults)
    assert errors[name].startswith(text)
    assert rest == []


def test_faults_inside_of_a_value_come_to_its_field_and_others_to_the_form() -> None:
    faults = [
        Fault(path="/cities/1", message="Too short."),
        Fault(path="/proxy/port", message="Too small."),
        Fault(path="/proxy", message="Incomplete."),
        Fault(path="", message="The service refuses."),
    ]

    errors, rest = errors_by_field(FIELDS, faults)

    assert errors == {"cities": "Line 2: Too short.", "proxy.port": "Too small."}
    assert rest == ["proxy: Incomplete.", "The service refuses."]


def test_a_plugin_without_settings_has_no_fields() -> None:
    assert fields_of(None) == ()
