"""Lines and the SDK's streams: what is answered before it gets there, and under which ids."""

import asyncio
import json

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse

from dispatcher.serving.stdio import StdioSession
from tests.dispatcher.fake_app import until


class Lines:
    """A transport whose client says what ``say`` is given."""

    def __init__(self):
        self._queue = asyncio.Queue()
        self.written = []

    def say(self, message):
        text = message if isinstance(message, str) else json.dumps(message)
        self._queue.put_nowait(text.encode())

    async def lines(self):
        while line := await self._queue.get():
            yield line

    async def write(self, message):
        self.written.append(json.loads(message))


def request(number, method="tools/call", **params):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.fixture
async def talk():
    lines = Lines()
    session = StdioSession(lines)
    async with session.pumping():
        yield lines, session
        await session.outbound.aclose()


async def heard(session):
    return (await session.inbound.receive()).message


async def answer(session, number):
    await session.outbound.send(
        SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=number, result={}))
    )


@pytest.mark.parametrize("number", [1, "1", "a", "text:a"])
async def test_a_second_request_of_an_id_is_refused_until_the_first_is_answered(talk, number):
    lines, session = talk
    lines.say(request(number))
    first = await heard(session)
    lines.say(request(number))
    await until(lambda: lines.written)
    assert lines.written[0]["id"] == number
    assert lines.written[0]["error"]["code"] == -32600
    await answer(session, first.id)
    await until(lambda: len(lines.written) == 2)
    assert lines.written[1] == {"jsonrpc": "2.0", "id": number, "result": {}}
    lines.say(request(number))
    assert (await heard(session)).id == first.id


async def test_a_number_and_a_text_are_two(talk):
    lines, session = talk
    for number in (1, "1"):
        lines.say(request(number))
    ids = [(await heard(session)).id for _ in range(2)]
    assert len({str(one) for one in ids}) == 2
    lines.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "1"}})
    assert (await heard(session)).params["requestId"] == ids[1]
    for one in ids:
        await answer(session, one)
    await until(lambda: len(lines.written) == 2)
    assert [one["id"] for one in lines.written] == [1, "1"]


async def test_half_a_pair_is_refused_by_its_id_and_mended_in_a_reply(talk):
    lines, session = talk
    lines.say(r'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\ud83d"}}')
    lines.say(r'{"jsonrpc":"2.0","id":1,"result":{"content":{"name":"a\ud83d"}}}')
    reply = await heard(session)
    assert reply.result == {"content": {"name": "a\ufffd"}}
    assert lines.written[0]["id"] == 7
    assert "half of a surrogate pair" in lines.written[0]["error"]["message"]


async def test_what_is_no_message_is_said_to_nobody_in_particular(talk):
    lines, _ = talk
    lines.say("no JSON")
    await until(lambda: lines.written)
    assert lines.written[0]["id"] is None
    assert lines.written[0]["error"]["code"] == -32700


async def test_a_request_whose_id_is_none_is_refused_in_words(talk):
    lines, session = talk
    for number in (None, 1.5, {}):
        lines.say(request(number))
    lines.say({**request(None), "method": "notifications/roots/list_changed"})
    assert (await heard(session)).method == "notifications/roots/list_changed"
    codes = [one["error"]["code"] for one in lines.written]
    assert codes == [-32600] * 3
