"""A plugin that publishes by the orders of the load client, and has a page for the HTTP benchmark."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.fanout.marks import obey

from corehost import Manifest, PluginContext, Route, RouteMeta, RoutesSpec, Signal, hookimpl


class Outlet:
    """Sends each message on the bus."""

    def __init__(self, context: PluginContext) -> None:
        self._messages = context.core.messages

    def publish(self, payload: dict[str, str]) -> None:
        """Send a message; nobody subscribes it but browsers."""
        self._messages.send("bench:tick", payload)

    def flush(self) -> None:
        """Nothing is held back."""


@hookimpl
def corehost_manifest() -> Manifest:
    """Say who this is."""
    return Manifest(
        id="bench",
        name="Bench",
        version="1.0.0",
        description="Publishes by orders.",
        permissions=("plugins:communicate", "routes:register"),
    )


@hookimpl
def corehost_routes() -> RoutesSpec:
    """Offer a page as short as pages get."""
    page = Route(path="/", view=lambda: "<p>A page.</p>", meta=RouteMeta(title="Bench"))
    return RoutesSpec(base_path="/bench", routes=(page,))


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    """Wait for orders where the benchmark says, and compute for nothing if it says so."""
    if control := os.environ.get("BENCH_CONTROL"):
        outlet = Outlet(context)
        context.spawn(lambda: obey(Path(control), outlet))
    if os.environ.get("BENCH_BUSY"):
        context.spawn(_compute)


def _compute(signal: Signal) -> None:
    number = 0
    while not signal.aborted:
        for _ in range(1_000):  # in bytecode, which is what keeps others from running; sum() would not
            number += 1
