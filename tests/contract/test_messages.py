from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from corehost.contract.message import Handler, Message, MessageSchema, MessagesSpec, SubscriptionSpec
from corehost.contract.records import faults_of, to_json


def test_a_message_is_json_in_the_specifications_names_without_what_is_absent() -> None:
    message = Message(id="m1", type="clock:tick", source="clock", payload={"n": 1}, timestamp=5, seq=7)
    assert json.loads(msgspec.json.encode(message)) == {
        "id": "m1",
        "type": "clock:tick",
        "source": "clock",
        "payload": {"n": 1},
        "timestamp": 5,
        "seq": 7,
    }
    full = msgspec.structs.replace(message, target="b", correlation_id="c1", meta={"k": 1}, cause="m0")
    assert json.loads(msgspec.json.encode(full)) | {"id": "", "payload": None} == {
        "id": "",
        "type": "clock:tick",
        "source": "clock",
        "payload": None,
        "timestamp": 5,
        "seq": 7,
        "target": "b",
        "correlationId": "c1",
        "meta": {"k": 1},
        "cause": "m0",
    }
    assert msgspec.json.decode(msgspec.json.encode(full), type=Message) == full


def test_a_message_cannot_be_changed() -> None:
    message = Message(id="m1", type="t", source="a", payload=None, timestamp=0, seq=1)
    with pytest.raises(AttributeError):
        message.payload = 1  # type: ignore[misc]  # the point


def test_a_declaration_that_keeps_the_contract_has_no_faults() -> None:
    spec = MessagesSpec(
        handlers={"tick": Handler(handle=print, filter=bool, priority=3)},
        schemas={"tick": MessageSchema(type="clock:tick", payload={"type": "object"}, expects_response=True)},
        subscriptions=(SubscriptionSpec(type="analytics:*", handler=Handler(handle=print), source=("a", "b")),),
    )
    assert faults_of(spec) == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (MessagesSpec(schemas={"tick": MessageSchema(type="", payload={})}), "/schemas/tick/type"),
        (MessagesSpec(schemas={"tick": MessageSchema(type="a b", payload={})}), "/schemas/tick/type"),
        (MessagesSpec(schemas={"tick": MessageSchema(type="x" * 201, payload={})}), "/schemas/tick/type"),
        (MessagesSpec(handlers={"tick": Handler(handle=None)}), "/handlers/tick/handle"),  # type: ignore[arg-type]  # wrong
        (
            MessagesSpec(subscriptions=(SubscriptionSpec(type="a\tb", handler=Handler(handle=print)),)),
            "/subscriptions/0/type",
        ),
    ],
)
def test_a_declaration_that_breaks_the_contract_names_the_place(spec: Any, path: str) -> None:
    assert [fault.path for fault in faults_of(spec)] == [path]


def test_a_declaration_is_documented_without_its_code() -> None:
    spec = MessagesSpec(
        handlers={"tick": Handler(handle=print, priority=3)},
        schemas={"tick": MessageSchema(type="clock:tick", payload={"type": "object"}, expects_response=True)},
    )
    assert to_json(spec)["handlers"] == {"tick": {"priority": 3}}
    assert to_json(spec)["schemas"]["tick"]["expectsResponse"] is True
