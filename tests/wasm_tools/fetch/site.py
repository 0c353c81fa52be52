"""The corpus as a site on loopback."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.wasm_tools.fetch.corpus import pages

Pages = dict[str, tuple[int, dict[str, str], bytes]]


@contextlib.contextmanager
def serving(content: Pages | None = None) -> Iterator[str]:
    """Serve pages; yields the site's address."""
    site = pages() if content is None else content

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            missing = (404, {"Content-Type": "text/plain"}, b"missing")
            status, headers, body = site.get(self.path, missing)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("{host}", self.headers["Host"]))
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
