"""What a server asks of the client of its call, as far as the agent goes."""

import json
import os
import signal
import threading

import pytest

from edge_agent.attachment.messages import write
from edge_agent.backends.client_request import ClientRequest
from edge_agent.backends.mcp_client import request as asked
from edge_agent.calls.client_requests import ClientRequests
from edge_agent.calls.policy import Label, askable
from edge_agent.calls.updates import RequestToClient
from edge_agent.errors import CallCancelled, CallTimeout, ServerDied
from tests.edge_agent.backends.conftest import PROGRAMS, Told, asking, is_alive, wait_for
from tests.edge_agent.backends.mcp_client.test_http import free_port, served

FORMS = b'{"elicitation":{}}'
YES = {"result": {"action": "accept", "content": {"sure": True}}}


class RunningCall:
    """A call on a thread of its own."""

    def __init__(self, job):
        self.job, self.told, self.result, self.error = job, Told(), None, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            self.result = json.loads(self.job.run(self.told).result)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def question(self, number=0):
        assert wait_for(lambda: len(self.told.questions) > number or self.ended)
        return self.told.questions[number]

    @property
    def ended(self):
        return not self.thread.is_alive()

    def text(self):
        self.thread.join(20)
        assert self.error is None, self.error
        return self.result["content"][0]["text"]

    def refusal(self):
        self.thread.join(20)
        assert self.error is None, self.error
        return self.result["error"]

    def fails(self, kind):
        self.thread.join(20)
        assert isinstance(self.error, kind), (self.error, self.result)
        return str(self.error)


def delete(one, client=FORMS, **more):
    return RunningCall(one.job("asking", "delete", {"name": "it"}, client=client, **more))


@pytest.fixture(scope="module")
def url():
    """The server over HTTP, for all tests."""
    port = free_port()
    with served(PROGRAMS / "asking_server.py", "--http", str(port)):
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(params=["lines", "http"])
def one(request, agent):
    """The same server as a process and as a remote one.

    The process is each test's own: while a call of the last one ends there, nobody is asked.
    """
    if request.param == "lines":
        made = agent(asking())
        made.backend = "process"
    else:
        made = agent({"name": "asking", "url": request.getfixturevalue("url")})
        made.backend = "remote"
    return made


def test_the_answer_goes_to_the_server(one):
    call = delete(one, backend=one.backend)
    question = call.question()
    assert question.method == "elicitation/create"
    assert json.loads(question.params)["message"] == "Delete it?"
    assert question.settle(YES)
    assert call.text() == "deleted it"
    assert not question.settle(YES)  # once


def test_a_call_of_a_client_that_cannot_be_asked(one):
    call = delete(one, client=b"", backend=one.backend)
    refused = call.refusal()
    # Over HTTP it is spoken to in the newer era, where the package asks nobody in this way.
    said = refused["message"]
    assert "does not support elicitation" in said or "no back-channel" in said
    assert call.told.questions == []


def test_time_with_an_open_question_does_not_count(one):
    one.text("asking", "ping_me", backend=one.backend)
    call = delete(one, backend=one.backend, wall_ms=700)
    question = call.question()
    call.thread.join(1.5)
    assert not call.ended
    question.settle(YES)
    assert call.text() == "deleted it"


def test_but_not_for_ever(one, monkeypatch):
    monkeypatch.setattr(asked, "CLIENT_REPLY_S", 0.5)
    one.text("asking", "ping_me", backend=one.backend)
    call = delete(one, backend=one.backend, wall_ms=500)
    question = call.question()
    assert "wall time" in call.fails(CallTimeout)
    assert not question.open


def test_a_call_that_is_cancelled_takes_its_question_back(one):
    call = delete(one, backend=one.backend)
    question = call.question()
    taken_back = threading.Event()
    question.withdrawn = taken_back.set
    call.job.cancel()
    call.fails(CallCancelled)
    assert taken_back.wait(10)
    assert one.text("asking", "ping_me", backend=one.backend) == "pong"


def test_of_two_calls_in_one_process_nothing_tells_which_asks(agent):
    one = agent(asking(state="shared"))
    first = delete(one)
    question = first.question()
    second = delete(one)
    assert (
        'state = "session"' in second.refusal()["message"]
    )  # it may be the first's: nobody is asked
    assert second.told.questions == []
    question.settle(YES)
    assert first.text() == "deleted it"


def test_a_server_that_dies_with_a_question_open(agent):
    one = agent(asking(state="shared"))
    call = delete(one)
    question = call.question()
    (pid,) = one.pids("asking")
    os.kill(pid, signal.SIGKILL)
    assert "SIGKILL" in call.fails(ServerDied)
    assert not question.open
    assert wait_for(lambda: not is_alive(pid))
    again = delete(one)
    again.question().settle(YES)
    assert again.text() == "deleted it"


def test_questions_are_sent_again_on_a_new_stream_and_answered_once():
    sent, answers = [], []
    requests = ClientRequests(sent.append)
    question = _question(answers)
    requests.ask("call", question)
    requests.again()
    first, second = sent
    assert first == second
    body = json.dumps(YES).encode()
    for part, more in ((body[:9], True), (body[9:], False), (body, False)):
        requests.reply("call", first.number, part, more=more)
    assert wait_for(lambda: answers)
    assert answers == [YES]
    requests.again()
    assert len(sent) == 2


def test_an_answer_that_is_none_is_an_error_for_the_server():
    sent, answers = [], []
    requests = ClientRequests(sent.append)
    requests.ask("call", _question(answers))
    requests.reply("call", sent[0].number, b"[1]", more=False)
    assert wait_for(lambda: answers)
    assert answers[0]["error"]["code"] == -32603


def test_a_large_question_goes_in_parts():
    large = RequestToClient("call", "1", "roots/list", b"x" * 600_000)
    parts = [message.question for message in write(large)]
    assert [(len(part.params), part.more) for part in parts] == [
        (262_144, True),
        (262_144, True),
        (75_712, False),
    ]


def _question(answers, params=b"{}"):
    return ClientRequest("roots/list", params, answers.append)


@pytest.mark.parametrize(
    ("privacy", "left"),
    [("public", {"sampling", "roots"}), ("site", {"sampling", "roots"}), ("node", {"roots"})],
)
def test_a_label_says_what_may_be_asked(privacy, left):
    client = b'{"sampling":{},"roots":{}}'
    assert set(json.loads(askable(client, Label(privacy, "a", "b")))) == left
