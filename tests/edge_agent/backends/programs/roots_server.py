"""A server that asks for roots as soon as it is initialized, and remembers them; Python alone."""
# ruff: noqa: T201 - a program of its own, as foreign ones are

import json
import os
import sys

TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("whose", "ask")]
known = []
waiting = []  # the call that waits for roots


def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def told(number):
    text = json.dumps({"roots": known, "pid": os.getpid()})
    say({"id": number, "result": {"content": [{"type": "text", "text": text}]}})


for line in sys.stdin:
    message = json.loads(line)
    method, number = message.get("method"), message.get("id")
    if method == "initialize":
        server = {"name": "roots", "version": "1"}
        version = message["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
        say({"id": number, "result": result})
    elif method == "notifications/initialized" and "eager" in sys.argv:
        say({"id": 1000, "method": "roots/list"})
    elif method == "tools/list":
        say({"id": number, "result": {"tools": TOOLS}})
    elif method == "tools/call" and message["params"]["name"] == "ask":
        waiting.append(number)
        say({"id": 2000 + number, "method": "roots/list"})
    elif method == "tools/call":
        told(number)
    elif method == "ping":
        say({"id": number, "result": {}})
    elif method is None:
        known += [root["uri"] for root in message.get("result", {}).get("roots", ())]
        if number != 1000:
            told(waiting.pop(0))
