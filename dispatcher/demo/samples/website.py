"""A small website on loopback for the research scenario to read, with a page that is a copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

# Each page: its title, and its paragraphs.
_ARTICLES: Final = {
    "/tides": """\
# Tides and feeding

The sanderling is a small wader of sandy shores. It feeds where the waves break, and runs back and
forth with every one of them. At low tide a flock covers several kilometres of beach in an hour.
At high tide the birds rest together above the line of the water.

Its prey are small crabs and worms that the backwash lays bare for a moment. A sanderling has no
hind toe, which makes it fast on wet sand. Most feeding takes place in the two hours after high
tide. Storms can keep the flock from feeding for a whole day.
""",
    "/migration": """\
# Migration

Sanderlings breed in the high Arctic and winter on coasts all over the world. Some fly more than
ten thousand kilometres from Greenland to the south of Africa. They gain half their weight again
before they leave.

Flocks stop at a few rich estuaries on the way. A bird stays there for two to three weeks. When
one of these estuaries is built over, the flock has no second choice near by. Counts in spring and
autumn show which of them matter most.
""",
    "/counting": """\
# Counting birds with small computers

A camera on a pole takes a picture of the beach every minute. A small computer beside it counts
the birds and keeps the pictures to itself. Only the counts travel over the radio, a few bytes an
hour.

The battery lasts for a season because the computer sleeps between pictures. The counts agree with
those of a person to within five in a hundred. On windy days grass that moves is now and then
taken for a bird.
""",
    "/breeding": """\
# Breeding in the Arctic

The nest is a shallow cup on stony ground, not far from the snow. Four eggs are laid in June, and
both parents may sit on a clutch of their own. The chicks feed themselves from the first day.

In years with many lemmings the foxes leave the nests alone. In years without them few chicks live
to fly. Whether the snow melts early decides how much there is to eat.
""",
}
_COPY_OF: Final = {"/mirror/tides": "/tides"}
PATHS: Final = (*_ARTICLES, *_COPY_OF)
DIFFERENT_PAGES: Final = len(_ARTICLES)


@dataclass(frozen=True, slots=True)
class Website:
    """A running site; ``origin`` is its scheme, host and port."""

    origin: str

    def url(self, path: str) -> str:
        """Return the address of one of ``PATHS``."""
        return self.origin + path


@contextmanager
def running_website() -> Iterator[Website]:
    """Serve the pages on a free port of the loopback until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = Thread(target=server.serve_forever, name="demo-website", daemon=True)
    thread.start()
    try:
        yield Website(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = _COPY_OF.get(self.path, self.path)
        if path == "/robots.txt":
            self._send("text/plain", "User-agent: *\nAllow: /\n")
        elif path in _ARTICLES:
            title, *paragraphs = _ARTICLES[path].removeprefix("# ").strip().split("\n\n")
            body = "".join(f"<p>{' '.join(text.split())}</p>" for text in paragraphs)
            page = (
                f"<html><head><title>{title}</title></head><body><nav>Home</nav>"
                f"<article><h1>{title}</h1>{body}</article></body></html>"
            )
            self._send("text/html; charset=utf-8", page)
        else:
            self.send_error(404)

    def _send(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the table of calls is what people want to see."""
