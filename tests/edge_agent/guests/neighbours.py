"""A neighbour of hostile modules: answered all the time, in an agent whose memory is as before."""

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import MIB
from tests.edge_agent.engines import MESSAGE
from tests.edge_agent.guests.modules import saying

# glibc's heaps keep some of what was freed; an agent has one heap only, and keeps nothing.
KEPT_BYTES = 96 * MIB


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


NEIGHBOUR = saying("neighbour")


@contextmanager
def untouched(engine):
    """Call a well-behaved module for as long as this is open; then look at both."""
    module = NEIGHBOUR
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    over, answered, failed = threading.Event(), [], []

    def go_on():
        while not (over.wait(0.01) and answered):
            try:
                answered.append(b"neighbour" in engine.send(loaded, MESSAGE, CallState()).data)
            except Exception as error:  # noqa: BLE001 - none is right here
                failed.append(error)

    before = resident()
    thread = threading.Thread(target=go_on)
    thread.start()
    yield
    over.set()
    thread.join()
    assert not failed
    assert all(answered)
    ends_s = time.monotonic() + 10  # what was freed is given back a little later
    while resident() - before > KEPT_BYTES and time.monotonic() < ends_s:
        time.sleep(0.05)
    assert resident() - before < KEPT_BYTES
