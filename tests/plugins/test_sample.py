"""The sample plugin of the documentation, as printed there."""

from __future__ import annotations

import threading
from pathlib import Path

from corehost.contract.message import Message
from tests.plugins.workshop import Workshop

CLOCK = Path(__file__).with_name("clock_sample.txt")


def test_the_sample_plugin_runs_as_printed(workshop: Workshop) -> None:
    (workshop.folder / "clock.py").write_text(CLOCK.read_text())
    ticks: list[Message] = []
    ticked = threading.Event()

    def hear(message: Message) -> None:
        ticks.append(message)
        ticked.set()

    workshop.bus.subscribe("clock:*", hear)
    workshop.start()

    assert workshop.status("clock") == "enabled", workshop.error("clock")
    assert ticked.wait(10)
    assert (ticks[0].source, ticks[0].payload) == ("clock", {"zone": "UTC"})
    assert workshop.call("clock", "now", {}) == {"zone": "UTC", "caller": None}
    assert workshop.bus.request("clock:tick", {"a": 1}) == {"heard": {"a": 1}}
