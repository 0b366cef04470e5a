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
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from corehost.plugins.faults import Faults
from corehost.plugins.registry import Registry

Read = Callable[[], Mapping[str, float]]
"""Returns the values of a gauge by its label's value, ``""`` for one without a label."""
_LABELS = ("plugin", "version", "kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A number that goes up and down; ``label`` names what its values are told apart by."""

    name: str
    help: str
    read: Read
    label: str | None = None


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
        for gauge in self.gauges:
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=[gauge.label] if gauge.label else [])
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
            ("corehost_plugin_calls", "calls", "How often plugins worked."),
            ("corehost_plugin_seconds", "seconds", "How long plugins worked."),
        ):
            family = CounterMetricFamily(name, text, labels=_LABELS)
            for (plugin, version), account in totals.items():
                _add(family, plugin, version, account.get(member, {}))
            yield family


def _add(family: CounterMetricFamily, plugin: str, version: str, values: Mapping[str, Any]) -> None:
    for kind, value in values.items():
        family.add_metric([plugin, version, kind], float(value))
