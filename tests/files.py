"""A server of files on this machine, where plugins are fetched from."""

from __future__ import annotations

import http.server
import threading
from typing import Any


class FileServer:
    """Answers with what ``files`` holds by path, which may change at any time, and with 404."""

    def __init__(self) -> None:
        files = self.files = dict[str, bytes]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = files.get(self.path)
                self.send_response(404 if data is None else 200)
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop, and give the port back."""
        self._server.shutdown()
        self._server.server_close()
