"""Who is measured at fan-out, and how each is started."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout.load import LoadClient
from benchmarks.figures import OURS
from benchmarks.host import ServedHost
from benchmarks.machine import Cores
from benchmarks.processes import Process, free_port
from benchmarks.workbench import HERE, Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that runs: where the load client goes, and whose processor time counts."""

    process: Process
    port: int
    header: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a server is started with; ``control`` is where its publisher takes orders."""

    workbench: Workbench
    cores: Cores
    control: Path
    closers: ExitStack

    def start(self, *command: str) -> Process:
        """Start the server that is measured."""
        return self._run(command, self.cores.server)

    def assist(self, *command: str) -> Process:
        """Start what helps to measure."""
        return self._run(command, self.cores.client)

    def write(self, name: str, text: str) -> Path:
        """Write a file that lives as long as the server."""
        path = self.control.with_name(name)
        path.write_text(text, encoding="utf-8")
        return path

    def _run(self, command: tuple[str, ...], core: int) -> Process:
        process = Process(command, core=core, environment=self.workbench.environment())
        self.closers.callback(process.stop)
        return process


Start = Callable[[Place], Served]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to serve; ``protocol`` is how the load client speaks to it, ``sets`` its number of pattern sets.

    ``sizes`` limits the numbers of clients at which it is measured, ``only_paced`` leaves the flood out.
    """

    name: str
    protocol: str
    start: Start
    sets: int = 1
    sizes: tuple[int, ...] | None = None
    only_paced: bool = False

    @contextmanager
    def loaded(self, workbench: Workbench, cores: Cores, clients: int) -> Iterator[tuple[Served, LoadClient]]:
        """Run the server with so many clients connected."""
        with ExitStack() as closers:
            folder = Path(closers.enter_context(tempfile.TemporaryDirectory(prefix="corehost-bench-")))
            place = Place(workbench=workbench, cores=cores, control=folder / "control", closers=closers)
            served = self.start(place)
            served.process.wait_until(place.control.exists, "its publisher")
            load = LoadClient(
                workbench.client("loadclient"),
                core=cores.client,
                protocol=self.protocol,
                port=served.port,
                clients=clients,
                control=place.control,
                header=served.header,
                sets=self.sets,
            )
            closers.callback(load.close)
            load.connect()
            yield served, load


def _corehost(place: Place, *, has_builtins: bool = False, **variables: str) -> Served:
    host = ServedHost(
        place.workbench,
        core=place.cores.server,
        has_builtins=has_builtins,
        variables={"BENCH_CONTROL": str(place.control), **variables},
    )
    place.closers.callback(host.stop)
    return Served(process=host.process, port=host.port, header=host.header)


def _restricted(place: Place) -> Served:
    host = ServedHost(place.workbench, core=place.cores.server, variables={"BENCH_CONTROL": str(place.control)})
    place.closers.callback(host.stop)
    return Served(process=host.process, port=host.port, header=host.restricted(["plugin:bench:use"]))


def _nats(place: Place) -> Served:
    port, web_port = free_port(), free_port()
    config = f"""
        listen: "127.0.0.1:{port}"
        websocket {{ listen: "127.0.0.1:{web_port}", no_tls: true, compression: false }}
        max_connections: 20000
        max_pending: 256MB
        write_deadline: "60s"
        ping_interval: "1h"
    """
    process = place.start(place.workbench.program("nats-server"), "-c", str(place.write("nats.conf", config)))
    process.wait_for_port(web_port)
    process.wait_for_port(port)
    _publish_to_broker(place, "nats", port)
    return Served(process=process, port=web_port)


def _mosquitto(place: Place) -> Served:
    port, web_port = free_port(), free_port()
    config = (
        f"listener {port} 127.0.0.1\nlistener {web_port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n"
        "max_connections -1\nmax_queued_messages 0\nset_tcp_nodelay true\nuser root\n"
    )
    process = place.start(place.workbench.program("mosquitto"), "-c", str(place.write("mosquitto.conf", config)))
    process.wait_for_port(web_port)
    process.wait_for_port(port)
    _publish_to_broker(place, "mqtt", port)
    return Served(process=process, port=web_port)


def _publish_to_broker(place: Place, speech: str, port: int) -> None:
    program = "benchmarks.fanout.servers.broker_publisher"
    publisher = place.assist(str(place.workbench.ours), "-m", program, speech, str(port), str(place.control))
    publisher.wait_until(place.control.exists, "its orders")


def _node(script: str) -> Start:
    def start(place: Place) -> Served:
        port = free_port()
        program = str(HERE / "node" / script)
        process = place.start(place.workbench.node(), program, str(port), str(place.control))
        process.wait_for_port(port)
        return Served(process=process, port=port)

    return start


def _python(module: str) -> Start:
    def start(place: Place) -> Served:
        port = free_port()
        python = str(place.workbench.python_peers())
        process = place.start(python, "-m", f"benchmarks.fanout.servers.{module}", str(port), str(place.control))
        process.wait_for_port(port)
        return Served(process=process, port=port)

    return start


FLOOR = "bare send"
NATS = "nats-server"
RESTRICTED = f"{OURS} to a user with few permissions"
BUSY = f"{OURS} beside a busy plugin"
SETS = f"{OURS}, 50 pattern sets"
BUILTINS = f"{OURS} with its built-ins"

NEAREST = (OURS, NATS, FLOOR)
"""Who is measured with any number of clients; all others with 1,000 unless everything is asked for."""

CONTENDERS = (
    Contender(name=OURS, protocol="corehost", start=_corehost),
    Contender(name=NATS, protocol="nats", start=_nats),
    Contender(name="Mosquitto", protocol="mqtt", start=_mosquitto),
    Contender(name="ws", protocol="plain", start=_node("ws_server.js")),
    Contender(name="socket.io", protocol="socketio", start=_node("socketio_server.js")),
    Contender(name="websockets", protocol="plain", start=_python("websockets_server")),
    Contender(name="Flask-SocketIO", protocol="socketio", start=_python("flask_socketio_server")),
    Contender(name=FLOOR, protocol="plain", start=_python("bare")),
    Contender(name=SETS, protocol="corehost", start=_corehost, sets=50, sizes=(1_000,)),
    Contender(name=RESTRICTED, protocol="corehost", start=_restricted, sizes=(1_000,)),
    Contender(
        name=BUILTINS, protocol="corehost", start=lambda place: _corehost(place, has_builtins=True), sizes=(1_000,)
    ),
    Contender(
        name=BUSY,
        protocol="corehost",
        start=lambda place: _corehost(place, BENCH_BUSY="1"),
        sizes=(1_000,),
        only_paced=True,
    ),
)
