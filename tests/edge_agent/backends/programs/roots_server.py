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
        offers = {"tools": {}, "resources": {}}
        result = {"protocolVersion": version, "capabilities": offers, "serverInfo": server}
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
    elif method == "resources/list":
        listed = [{"uri": f"{sys.argv[1]}://pid", "name": "pid"}]
        say({"id": number, "result": {"resources": listed}})
    elif method == "resources/read":
        text = json.dumps({"roots": known, "pid": os.getpid()})
        contents = [{"uri": message["params"]["uri"], "text": text}]
        say({"id": number, "result": {"contents": contents}})
    elif method == "ping":
        say({"id": number, "result": {}})
    elif method is None:
        known += [root["uri"] for root in message.get("result", {}).get("roots", ())]
        if number != 1000:
            told(waiting.pop(0))
