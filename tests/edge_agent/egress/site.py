"""A site on loopback that answers as a test says, byte by byte where it must."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Site:
    """Answers each connection with what its path leads to. Keeps what was asked.

    A page is bytes (sent as they are), or a function of the socket and the request.
    """

    def __init__(self, tls=None) -> None:
        self.pages: dict[str, bytes | Callable[[socket.socket, bytes], None]] = {}
        self.requests: list[bytes] = []
        self.tls = tls
        self.closing = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.threads: list[threading.Thread] = []
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def asked(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [request.split()[1].decode() for request in self.requests]

    def close(self) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join(5)
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            served = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with served:
                request = read_request(served)
                if not request:
                    return
                self.requests.append(request)
                page = self.pages.get(
                    request.split()[1].decode("latin-1"), page_of("missing", status=404)
                )
                if callable(page):
                    page(served, request)
                else:
                    served.sendall(page)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block:
            return data
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length:
        block = connection.recv(65536)
        if not block:
            break
        body += block
    return head + b"\r\n\r\n" + body


def page_of(body: str | bytes, status: int = 200, **headers: str) -> bytes:
    """An answer with its length."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


def redirect(to: str, status: int = 302) -> bytes:
    return page_of("", status, Location=to)
