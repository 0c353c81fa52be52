"""A server that writes down each call that it runs. Needs nothing installed.

`ledger_server.py FILE`: tools `record` (promises nothing) and `look` (read-only) add a line
`TOOL ID` to the file, then take as many milliseconds as they are told.
"""

import json
import os
import sys
import threading
import time

LEDGER = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "ms": {"type": "number"}},
    "required": ["id"],
}
TOOLS = [
    {"name": "record", "inputSchema": SCHEMA},
    {"name": "look", "inputSchema": SCHEMA, "annotations": {"readOnlyHint": True}},
]
writing = threading.Lock()
stopped = set()


def say(message):
    with writing:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def call(number, name, arguments):
    os.write(LEDGER, f"{name} {arguments['id']}\n".encode())
    until = time.monotonic() + arguments.get("ms", 0) / 1000
    while time.monotonic() < until and number not in stopped:
        time.sleep(0.002)
    say({"id": number, "result": {"content": [{"type": "text", "text": arguments["id"]}]}})


for line in sys.stdin:
    message = json.loads(line)
    method, params = message.get("method"), message.get("params", {})
    if method == "notifications/cancelled":
        stopped.add(params["requestId"])
    if "id" not in message:
        continue
    if method == "initialize":
        say(
            {
                "id": message["id"],
                "result": {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "ledger", "version": "1"},
                },
            }
        )
    elif method == "tools/list":
        say({"id": message["id"], "result": {"tools": TOOLS}})
    elif method == "tools/call":
        argv = (message["id"], params["name"], params["arguments"])
        threading.Thread(target=call, args=argv, daemon=True).start()
    else:
        say({"id": message["id"], "result": {}})
