"""A plugin's app must die with it; one that something holds on to is charged."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.web.bench import Bench

KEPT: list[Any] = []
"""Holds on to apps, as an extension of Flask's would."""
PAGES = """
def page(): return "here"

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/{id}", routes=(Route(path="/", view=page),))
"""
HOLDING = """
import sys
from flask import current_app

def page():
    kept = next(m for name, m in sys.modules.items() if name.endswith("test_leaking_pages")).KEPT
    kept.append(current_app._get_current_object())
    return "here"

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/{id}", routes=(Route(path="/", view=page),))
"""


@pytest.fixture
def leaky(tmp_path: Path) -> Any:
    with ExitStack() as closers:
        bench = Bench(tmp_path, closers, leak_seconds=0.3)
        bench.write("tidy", PAGES.format(id="tidy"))
        bench.write("holding", HOLDING.format(id="holding"))
        yield bench.start()
    KEPT.clear()


def test_the_app_of_a_plugin_dies_with_it_and_one_that_does_not_is_named(leaky: Bench) -> None:
    told: dict[str, list[str]] = {}
    seen = threading.Event()

    def hear(message: Any) -> None:
        told[message.payload["id"]] = message.payload["left"]
        seen.set()

    leaky.bus.subscribe("core:plugin:leaked", hear)
    assert leaky.get("/tidy").status_code == leaky.get("/holding").status_code == 200
    leaky.plugins.lifecycle.disable("tidy")
    leaky.plugins.lifecycle.disable("holding")

    assert seen.wait(15)
    assert list(told) == ["holding"]
    assert told["holding"][0] == "app"
    metrics = leaky.get("/metrics").text
    assert f'corehost_plugin_left_behind{{plugin="holding",version="1.0.0"}} {float(len(told["holding"]))}' in metrics
    assert 'corehost_plugin_left_behind{plugin="tidy",version="1.0.0"} 0.0' in metrics
