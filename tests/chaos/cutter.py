"""A TCP proxy on loopback that cuts its connections in the middle of whatever they carry."""

import socket
import threading
from contextlib import suppress

from tests.chaos.house import free_port


class Cutter:
    """Passes bytes between its port and another one. ``cut`` ends all connections at once, after
    a few more bytes have passed, and with a reset: neither side hears a goodbye.
    """

    def __init__(self, rng):
        self.port = free_port()
        self.target = 0
        self.cuts = 0
        self._rng = rng
        self._open = []
        self._lock = threading.Lock()
        self._left = None  # bytes until the cut, once it was ordered
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Order a cut: within the next thousand bytes, so in the middle of a message."""
        with self._lock:
            self._left = self._rng.randrange(1000)

    def close(self):
        self._listening.close()
        self._end()

    def _accept(self):
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                try:
                    there = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    here.close()
                    continue
                with self._lock:
                    self._open += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                with self._lock:
                    left = self._left
                    if left is not None:
                        self._left = None if left < len(data) else left - len(data)
                if left is not None and left < len(data):
                    other.sendall(data[:left])
                    self.cuts += 1
                    self._end()
                    return
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def _end(self):
        with self._lock:
            gone, self._open = self._open, []
        for sock in gone:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
