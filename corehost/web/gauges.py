"""What waits in the edge and in the lanes, as it is when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator

from corehost.messaging.lanes import Lanes
from corehost.web.bulkhead import Bulkhead
from corehost.web.metrics import Gauge


def edge_gauges(bulkhead: Bulkhead, lanes: Lanes) -> Iterator[Gauge]:
    """Yield what ``/metrics`` shows of requests and lanes, most of it by plugin."""
    inside, waiting = "Requests that are inside of a plugin.", "Requests that wait for a place inside of a plugin."
    yield Gauge(name="corehost_requests_inside", help=inside, read=bulkhead.inside, label="plugin")
    yield Gauge(name="corehost_requests_waiting", help=waiting, read=lambda: {"": bulkhead.waiting()})
    depth, lost = "Jobs that wait in a plugin's lane.", "Messages and other work that never reached a plugin."
    yield Gauge(name="corehost_lane_depth", help=depth, read=lanes.depths, label="plugin")
    yield Gauge(name="corehost_dead_letters", help=lost, read=lanes.letters.by_owner, label="plugin", only_up=True)
