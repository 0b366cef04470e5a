"""One source runs in the host's process and in one of its own, and cannot tell the difference."""

from __future__ import annotations

import ast
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from corehost.contract.errors import ConflictError, InvalidError, PluginFaultError
from corehost.contract.schema import check, compile_schema
from corehost.plugins.isolation.mirror import WritableMirror
from tests.plugins.workshop import ADMIN, Workshop

SOURCE = Path(__file__).parent / "plugins" / "traveller.py"
Hosting = Any


def trips() -> list[str]:
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "TRIPS":
            return [name.id for name in ast.walk(node) if isinstance(name, ast.Name) and name.id.islower()][1:]
    raise AssertionError("no trips")


@pytest.fixture(scope="module")
def here(hosting: Hosting) -> Workshop:
    workshop: Workshop = hosting("traveller", "friend")
    return workshop


@pytest.fixture(scope="module")
def apart(hosting: Hosting) -> Workshop:
    workshop: Workshop = hosting("traveller", "friend", isolated=("traveller",))
    return workshop


@pytest.mark.parametrize("name", sorted({*trips()} - {"function", "str", "dict"}))
def test_the_doors_of_the_context_are_the_same(here: Workshop, apart: Workshop, name: str) -> None:
    assert apart.call("traveller", "travel", name) == here.call("traveller", "travel", name)


def test_it_is_another_process(apart: Workshop) -> None:
    line = apart.registry.get("traveller").line

    assert line is not None
    assert line.process.pid != os.getpid()
    assert apart.registry.get("traveller").module is None


@pytest.mark.parametrize("host", ["here", "apart"])
def test_others_see_the_same_of_it(host: str, request: pytest.FixtureRequest) -> None:
    workshop: Workshop = request.getfixturevalue(host)
    gateway, plugin = workshop.plugins.gateway, workshop.registry.get("traveller")

    value, version = gateway.write_store("traveller", "number", 7, user=ADMIN)
    assert (value, gateway.read_store("traveller", "double", user=ADMIN)[0]) == (7, 14)
    assert gateway.read_store("traveller", "number", user=ADMIN) == (7, version)
    with pytest.raises(InvalidError, match="is not of type"):
        gateway.write_store("traveller", "number", "x", user=ADMIN)
    assert workshop.bus.request("traveller:ask", 1) == {"got": 1, "waits": True, "user": None}
    assert workshop.call("traveller", "who") == [None, None, False]
    assert plugin.hookspecs is not None
    with pytest.raises(InvalidError, match="no such city"):
        workshop.plugins.config.set("traveller", {"city": "Atlantis"}, user=ADMIN)
    workshop.plugins.config.set("traveller", {"city": "Oslo"}, user=ADMIN)
    assert workshop.call("traveller", "travel", "settings")[1] == "Oslo"


def test_a_value_that_breaks_its_schema_is_not_taken_from_a_worker(apart: Workshop) -> None:
    line = apart.registry.get("traveller").line
    assert line is not None
    mirror = WritableMirror("number", [1, 0], line)
    mirror.guard(partial(check, compile_schema({"type": "integer"}), what="The value"))

    for hostile, error in (["x", 1], PluginFaultError), ([2, -1], ValueError), ([2, "9"], ValueError):
        with pytest.raises(error):
            mirror.follow(hostile)
    with pytest.raises(InvalidError):
        mirror.set("x")
    mirror.follow([3, 0])

    assert mirror.snapshot() == (1, 0), "neither is what is not newer"


def test_a_follower_of_an_isolated_store_hears_of_changes(apart: Workshop) -> None:
    heard: list[Any] = []
    undo = apart.plugins.gateway.store("traveller", "number").subscribe(heard.append)

    apart.plugins.gateway.write_store("traveller", "number", 41, user=ADMIN)
    apart.plugins.gateway.write_store("traveller", "number", 42, user=ADMIN)
    undo()

    assert heard[-2:] == [41, 42]


@pytest.mark.parametrize("isolated", [(), ("teller",)], ids=["here", "apart"])
def test_a_reload_keeps_what_the_plugin_alone_sets(hosting: Hosting, isolated: tuple[str, ...]) -> None:
    workshop = hosting("teller", isolated=isolated)
    file = workshop.folder / "teller.py"
    file.write_text(file.read_text().replace("StoresSpec(writable=", "StoresSpec(readable="))
    workshop.plugins.lifecycle.reload("teller")
    workshop.call("teller", "put", 7)

    workshop.plugins.lifecycle.reload("teller")

    assert workshop.plugins.gateway.read_store("teller", "number", user=ADMIN)[0] == 7
    assert workshop.call("teller", "put", 8) == 8
    with pytest.raises(ConflictError, match="number"):
        workshop.plugins.gateway.write_store("teller", "number", 9, user=ADMIN)
