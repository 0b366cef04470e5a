"""How long plugins work is known by kind, for all time and for the last minutes."""

from __future__ import annotations

from corehost.plugins.faults import Faults
from corehost.plugins.figures import WINDOW, Timing


def test_recent_figures_forget_what_is_older_than_two_minutes() -> None:
    timing = Timing(now=0.0)
    timing.add(5.0, 1, now=1.0)
    timing.add(0.02, 2, now=WINDOW + 1.0)

    both = timing.figures(now=WINDOW + 2.0)
    later = timing.figures(now=2 * WINDOW + 2.0)
    much_later = timing.figures(now=9 * WINDOW)

    assert (both["count"], both["recent"]["count"], both["recent"]["longest"]) == (3, 3, 5.0)
    assert both["recent"]["p50"] < 0.02
    assert both["recent"]["p99"] > 4
    assert (later["recent"]["count"], later["recent"]["longest"]) == (2, 0.01)
    assert (much_later["recent"]["count"], much_later["count"], much_later["longest"]) == (0, 3, 5.0)


def test_timers_are_told_apart_from_the_messages_of_the_same_burst() -> None:
    faults = Faults()
    faults.took("clock", "timer", 0.4, is_part=True)
    faults.took("clock", "handler", 1.0, count=4, lag=0.05)

    figures = faults.summary("clock")["figures"]
    assert (figures["handler"]["count"], round(figures["handler"]["seconds"], 6)) == (3, 0.6)
    assert figures["timer"]["count"] == 1
    assert 0.04 < figures["lag"]["recent"]["p50"] < 0.06
    assert "lag" not in faults.summary("clock")["seconds"]


def test_accounts_are_kept_of_the_last_versions_only_and_of_all_people_together() -> None:
    faults, version = Faults(), [""]
    faults.join(version_of=lambda _: version[0])
    for number in range(20):
        version[0] = f"1.0.{number}"
        faults.took("clock", "hook", 0.1)
        faults.refuse(f"user:{number}", "metrics:read", "look")

    assert [key[1] for key in faults.totals() if key[0] == "clock"] == [f"1.0.{n}" for n in range(16, 20)]
    assert {key[0] for key in faults.totals()} == {"clock", "users"}
