"""After a call has begun no error says that it did not: nobody may run it a second time for that."""

import json

import pytest

from edge_agent import errors
from edge_agent.attachment.messages import status_of
from edge_agent.backends.base import ToolCall
from edge_agent.calls.queue import CallQueue, Rules
from edge_agent.calls.ticket import Ticket
from edge_agent.jsonrpc import read_result
from protos.edge.v1 import edge_pb2

NOT_STARTED = {edge_pb2.STATUS_REFUSED, edge_pb2.STATUS_UNAVAILABLE}


class Backend:
    def __init__(self, error):
        self.error = error

    def prepare(self, call):
        return self

    def run(self, reporter):
        raise self.error


@pytest.mark.parametrize(
    "error", [TypeError("unhashable"), MemoryError(), RecursionError(), errors.CallFailed("hm")]
)
def test_an_unexpected_error_of_a_job(error):
    sent = []
    queue = CallQueue(Rules("node"), {"wasm": Backend(error)}, sent.append)
    queue.run(queue.offer(Ticket(ToolCall("text", "tool", id="1"))))
    (outcome,) = sent
    assert status_of(outcome.error) not in NOT_STARTED


@pytest.mark.parametrize("kind", [errors.ModuleUnavailable, errors.NotStarted, errors.NotSent])
def test_what_never_began_may_be_tried_elsewhere(kind):
    assert status_of(kind) == edge_pb2.STATUS_UNAVAILABLE


@pytest.mark.parametrize("number", ['{"a":1}', "[1]", "[]", "1.5", "true", '"1"', "2", "{}"])
def test_an_answer_with_an_odd_id_is_no_answer(number):
    answer = {"jsonrpc": "2.0", "id": json.loads(number), "result": {"content": []}}
    text = json.dumps(answer)
    try:
        read_result(text.encode())
    except errors.BadAnswer:
        assert status_of(errors.BadAnswer) not in NOT_STARTED
    else:
        assert number in {"true", '"1"'}
