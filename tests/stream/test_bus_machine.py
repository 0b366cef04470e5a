"""Whatever is done on the bus in whatever order, each message is heard once by each who should, or counted as lost."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stream.machine import BusMachine
from tests.tiers import Scale, Tell

PHASES = (Phase.reuse, Phase.generate)
"""Without shrinking: what threads do differs from run to run, and a smaller case would fail now and then."""


@pytest.mark.suite("The bus, whatever is done to it")
def test_each_message_is_heard_once_in_order_or_counted_as_lost(scale: Scale, tell: Tell) -> None:
    runs = scale(2_000)
    BusMachine.done.clear()

    run_state_machine_as_test(
        BusMachine,
        settings=settings(max_examples=runs, stateful_step_count=20, phases=PHASES, deadline=None, print_blob=True),
    )

    messages, heard, lost = (BusMachine.done[what] for what in ("messages", "heard", "lost"))
    assert min(messages, heard, lost) > runs, "it has not done what it is there for"
    tell(f"{runs:,} runs: {messages:,} messages, heard {heard:,} times, {lost:,} dead letters, none missing or doubled")
