import json

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import Limits
from tests.edge_agent.guests.modules import RESULT, module, packed

ANSWER = (RESULT % "0").encode()
DIGIT_AT = 1024 + ANSWER.index(b'"0"') + 1


def counting(memory='(memory (export "memory") 4)'):
    """Counts its calls, to nine; a message that starts with t traps, with l loops, with g grows."""
    call = f"""
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (if (i32.eq (i32.load8_u (local.get $ptr)) (i32.const 116)) (then (unreachable)))
      (if (i32.eq (i32.load8_u (local.get $ptr)) (i32.const 108)) (then (loop $l (br $l))))
      (if (i32.eq (i32.load8_u (local.get $ptr)) (i32.const 103))
        (then (drop (memory.grow (i32.const 48)))))
      (i32.store8 (i32.const {DIGIT_AT}) (i32.add (i32.const 48) (global.get $calls)))
      (i64.const {packed(1024, len(ANSWER))})"""
    extra = "(global $calls (mut i32) (i32.const 0))"
    return module(call, data=ANSWER, extra=extra, memory=memory)


class Counter:
    """The counting module in an engine."""

    def __init__(self, engine):
        self.engine = engine
        self.module = counting()
        self.loaded, _ = engine.modules.get(self.module.digest, lambda: self.module.wasm)

    def send(self, session="", message=b"x", running=None, **limits):
        running = running or CallState(Limits(**limits))
        return self.engine.send(self.loaded, message, running, session)

    def count(self, session="", message=b"x"):
        answer = json.loads(self.send(session, message).data)
        return int(answer["result"]["content"][0]["text"])

    def note(self, session):
        return self.send(session).session


@pytest.fixture
def counter(engine):
    return Counter(engine)
