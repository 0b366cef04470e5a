"""The library websockets: its asyncio server and its `broadcast`."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.fanout.marks import Order, payload, read_order, text


class Server:
    """Holds the connections."""

    def __init__(self) -> None:
        self._connections: set[ServerConnection] = set()

    async def hold(self, connection: ServerConnection) -> None:
        """Keep one connection among those that hear, until it ends."""
        await connection.send("hi")
        self._connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            self._connections.discard(connection)

    async def obey(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        """Publish by orders."""
        while line := await reader.readline():
            await self._carry_out(read_order(line.decode()))

    async def _carry_out(self, order: Order) -> None:
        for number, due in order.dues():
            # Even when it is due the loop must get its turn: broadcast only fills buffers.
            await asyncio.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            broadcast(self._connections, text(payload(order.phase, number, due)))


async def main(port: int, control: Path) -> None:
    """Serve on *port* and publish by the orders on *control*."""
    server = Server()
    # No compression and no pings, as its documentation advises where speed counts.
    async with serve(server.hold, "127.0.0.1", port, compression=None, ping_interval=None, backlog=1_024):
        publisher = await asyncio.start_unix_server(server.obey, control)
        await publisher.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
