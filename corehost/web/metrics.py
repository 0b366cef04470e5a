"""Show what the host counts, in Prometheus' format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from corehost.plugins.faults import Faults
from corehost.plugins.figures import LAG
from corehost.plugins.histogram import cumulated
from corehost.plugins.registry import Registry

Read = Callable[[], Mapping[str, float]]
"""Returns the values of a gauge by its label's value, ``""`` for one without a label."""
_PLUGIN = ("plugin", "version")
_LABELS = (*_PLUGIN, "kind")
_BOUNDS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
"""Upper ends of the buckets that are shown, in seconds: few, as each is a line for each plugin and kind of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A number that goes up and down, or with ``only_up`` a counter; ``label`` names what its values are told apart
    by."""

    name: str
    help: str
    read: Read
    label: str | None = None
    only_up: bool = False


class Metrics:
    """The metrics of one host, in a registry of its own: two hosts in one process do not mix."""

    def __init__(self, registry: Registry, faults: Faults) -> None:
        self._collected = CollectorRegistry()
        ProcessCollector(registry=self._collected)
        PlatformCollector(registry=self._collected)
        self._host = _HostCollector(registry, faults)
        self._collected.register(self._host)

    def add(self, gauge: Gauge) -> None:
        """Show *gauge*, too."""
        self._host.gauges.append(gauge)

    def render(self) -> tuple[bytes, str]:
        """Return the text and its content type."""
        return generate_latest(self._collected), CONTENT_TYPE_LATEST


class _HostCollector(Collector):
    """Reads the counters where they are kept, when somebody asks."""

    def __init__(self, registry: Registry, faults: Faults) -> None:
        self._registry = registry
        self._faults = faults
        self.gauges: list[Gauge] = []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield self._plugins()
        yield from self._accounts()
        yield from self._times()
        yield from self._states()
        for gauge in self.gauges:
            kind = CounterMetricFamily if gauge.only_up else GaugeMetricFamily
            family = kind(gauge.name, gauge.help, labels=[gauge.label] if gauge.label else [])
            for label, value in gauge.read().items():
                family.add_metric([label] if gauge.label else [], value)
            yield family

    def _plugins(self) -> Metric:
        family = GaugeMetricFamily("corehost_plugin", "1 for each plugin.", labels=["plugin", "version", "status"])
        for plugin in self._registry.all():
            family.add_metric([plugin.id, plugin.version, plugin.status], 1.0)
        return family

    def _accounts(self) -> Iterator[Metric]:
        totals = self._faults.totals()
        for name, member, text in (
            ("corehost_plugin_errors", "errors", "What plugins did wrong."),
            ("corehost_plugin_refusals", "refusals", "What plugins and users were refused."),
            ("corehost_plugin_blockages", "blockages", "How often a plugin's lane stood still for over a second."),
        ):
            family = CounterMetricFamily(name, text, labels=_LABELS)
            for (plugin, version), account in totals.items():
                _add(family, plugin, version, account.get(member, {}))
            yield family

    def _times(self) -> Iterator[Metric]:
        work = HistogramMetricFamily("corehost_plugin_duration_seconds", "How long plugins worked.", labels=_LABELS)
        lag = HistogramMetricFamily("corehost_plugin_lag_seconds", "From send to handle.", labels=_PLUGIN)
        for key, kinds in self._faults.histograms().items():
            for kind, (counts, seconds) in kinds.items():
                buckets = _buckets(counts)
                if kind == LAG:
                    lag.add_metric(key, buckets, seconds)
                else:
                    work.add_metric((*key, kind), buckets, seconds)
        yield from (work, lag)

    def _states(self) -> Iterator[Metric]:
        text = "What was still there of a plugin a while after its unload."
        left_behind = GaugeMetricFamily("corehost_plugin_left_behind", text, labels=_PLUGIN)
        blocked = GaugeMetricFamily("corehost_plugin_blocked", "1 while a plugin's lane stands still.", labels=_PLUGIN)
        throttled = GaugeMetricFamily("corehost_plugin_throttled", "1 while a plugin is held back.", labels=_PLUGIN)
        for key, (is_blocked, left) in self._faults.states().items():
            plugin = self._registry.find(key[0])
            if plugin is not None and plugin.version == key[1]:
                left_behind.add_metric(key, float(left))
                blocked.add_metric(key, float(is_blocked))
                throttled.add_metric(key, float(plugin.restraint is not None))
        yield from (left_behind, blocked, throttled)


def _buckets(counts: Mapping[int, int]) -> list[tuple[str, float]]:
    ends = zip(_BOUNDS, cumulated(counts, _BOUNDS), strict=True)
    return [*((f"{bound:g}", float(count)) for bound, count in ends), ("+Inf", float(sum(counts.values())))]


def _add(family: CounterMetricFamily, plugin: str, version: str, values: Mapping[str, Any]) -> None:
    for kind, value in values.items():
        family.add_metric([plugin, version, kind], float(value))
