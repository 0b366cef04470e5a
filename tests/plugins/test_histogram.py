"""Durations are counted in few buckets, and what is read from them is never far off."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from corehost.plugins.histogram import BUCKETS, Histogram, cumulated, percentiles

DURATIONS = st.lists(st.floats(min_value=1e-6, max_value=900.0), min_size=1, max_size=200)
WIDTH = 10 ** (1 / 20)


def counted(seconds: list[float]) -> Histogram:
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    return histogram


@given(seconds=DURATIONS, share=st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_off_by_less_than_a_bucket(seconds: list[float], share: float) -> None:
    [found] = percentiles([counted(seconds)], [share])

    true = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert true / WIDTH <= found <= true * WIDTH


@given(seconds=DURATIONS)
def test_the_buckets_of_prometheus_are_cumulated(seconds: list[float]) -> None:
    bounds = [0.001, 0.1, 10.0]
    found = cumulated(counted(seconds).counts(), bounds)

    assert found == sorted(found)
    for bound, count in zip(bounds, found, strict=True):
        assert sum(one < bound * 0.99 for one in seconds) <= count <= sum(one <= bound * 1.01 for one in seconds)


def test_a_histogram_does_not_grow_for_ever() -> None:
    histogram = counted([10 ** (place / 1_000) for place in range(-9_000, 9_000)])

    assert len(histogram.counts()) <= BUCKETS
    assert sum(histogram.counts().values()) == 18_000


def test_nothing_counted_is_no_time() -> None:
    assert percentiles([Histogram()], [0.5, 0.99]) == [0.0, 0.0]
