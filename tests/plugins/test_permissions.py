"""Who may see and send which message types, and what is counted."""

from __future__ import annotations

import pytest

from corehost import PermissionSet, UserContext
from corehost.contract.errors import PermissionDeniedError
from tests.plugins.workshop import ADMIN, Workshop

FREE = "MessagesSpec(schemas={'free': MessageSchema(type='lab:free', payload={})})"


@pytest.fixture
def lab(workshop: Workshop) -> Workshop:
    workshop.write(
        "clock", f"@hookimpl\ndef corehost_messages(): return {FREE}\n", permissions=("plugins:communicate",)
    )
    workshop.start()
    assert workshop.status("clock") == "enabled", workshop.error("clock")
    return workshop


@pytest.mark.parametrize(
    ("message_type", "sees", "sends"),
    [
        ("clock:tick", True, True),
        ("clock", True, True),
        ("lab:free", True, True),
        ("lab:other", False, False),
        ("other:thing", False, False),
        ("core:plugin:enabled", False, False),
        ("", False, False),
    ],
)
def test_a_user_of_a_plugin_has_its_types_and_those_that_it_declares(
    lab: Workshop, message_type: str, sees: bool, sends: bool
) -> None:
    user = UserContext(id="ann", permissions=PermissionSet({"plugin:clock:use"}))
    permissions = lab.plugins.permissions

    assert permissions.may_see_type(user, message_type) is sees
    assert permissions.may_send_type(user, message_type) is sends
    assert permissions.may_see_type(None, message_type) is False


def test_types_of_the_host_are_read_by_permission_and_sent_by_nobody_else(lab: Workshop) -> None:
    permissions = lab.plugins.permissions
    reader = UserContext(id="ann", permissions=PermissionSet({"core:read"}))

    assert permissions.may_see_type(reader, "core:plugin:enabled")
    assert permissions.may_see_type(ADMIN, "core:plugin:enabled")
    assert not permissions.may_send_type(ADMIN, "core:plugin:enabled")
    assert permissions.may_send_type(ADMIN, "anything:else")


def test_a_refusal_names_the_permission_and_is_counted(lab: Workshop) -> None:
    with pytest.raises(PermissionDeniedError, match="user:ann may not enter the lab") as refused:
        lab.plugins.permissions.require_user(UserContext(id="ann"), "lab:enter", "enter the lab")

    assert (refused.value.permission, refused.value.subject) == ("lab:enter", "user:ann")
    assert lab.faults.summary("users")["refusals"] == {"lab:enter": 1}
    with pytest.raises(PermissionDeniedError, match="Nobody may"):
        lab.plugins.permissions.require_user(None, "lab:enter", "enter the lab")
