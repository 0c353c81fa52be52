"""A server that answers, and breaks one rule, which its argument names. Needs nothing installed."""
# ruff: noqa: PERF401, PLR0912, PTH123, SIM115, T201 - a program of its own, as foreign ones are

import json
import os
import signal
import sys
import time

HOW = sys.argv[1] if len(sys.argv) > 1 else "polite"
SCHEMA = {"type": "object"}
TOOLS = [{"name": name, "inputSchema": SCHEMA} for name in ("echo", "act")]


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def write_line(text, number):
    """A line of the caller's own making, with the request's id for each NUMBER."""
    sys.stdout.buffer.write(text.replace("NUMBER", str(number)).encode("latin-1") + b"\n")
    sys.stdout.flush()


def act(arguments):
    """What the caller wants it to do."""
    what = arguments.get("what")
    if what == "sleep":
        time.sleep(arguments["seconds"])
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "large":
        return text("x" * arguments["bytes"])
    elif what == "values":
        return {"content": [], "structuredContent": {"many": [[]] * 600_000}}
    elif what == "no result":
        return {"something": "else"}
    elif what == "fill":
        held = bytearray(arguments["mib"] << 20)
        return text(str(len(held)))
    elif what == "open":
        files = []
        try:
            for _ in range(5000):
                files.append(open(os.devnull))
        except OSError as error:
            return text(f"{len(files)}: {error.strerror}")
    elif what == "spin":
        while True:
            pass
    elif what == "flood":
        while True:
            sys.stdout.write("all work and no play makes a dull server\n")
    elif what == "flood line":
        while True:
            sys.stdout.write("x" * 1_000_000)
    elif what == "news":
        for number in range(arguments["many"]):
            say({"method": "notifications/message", "params": {"level": "info", "data": number}})
    return text(str(os.getpid()))


def serve():
    starts = os.environ.get("STARTS")
    if starts:
        with open(starts, "a") as file:
            file.write(f"{os.getpid()}\n")
    if HOW == "hangs":
        time.sleep(600)
    if HOW == "dies":
        print("no licence found", file=sys.stderr)
        sys.exit(3)
    if HOW == "prints":
        print("Welcome to the server!\n{not json}\n[]\n")
    if HOW == "ignores the end":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if HOW == "floods":
        while True:
            print("spam" * 1000)
    if HOW == "deaf":
        print(
            '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":'
            '{"tools":{}},"serverInfo":{"name":"deaf","version":"1"}}}',
            flush=True,
        )
        time.sleep(600)
    for line in sys.stdin:
        message = json.loads(line)
        method, params = message.get("method"), message.get("params", {})
        if "id" not in message:
            continue
        answer = {"id": message["id"]}
        if method == "initialize":
            version = "1999-01-01" if HOW == "other version" else "2024-11-05"
            answer["result"] = {
                "protocolVersion": version,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "rude", "version": "1"},
            }
        elif method == "tools/list":
            answer["result"] = {"tools": TOOLS}
        elif method == "ping":
            answer["result"] = {}
        elif method == "tools/call" and "line" in params["arguments"]:
            write_line(params["arguments"]["line"], message["id"])
            continue
        elif method == "tools/call" and params["name"] == "act":
            answer["result"] = act(params["arguments"])
        elif method == "tools/call" and params["name"] == "echo":
            answer["result"] = text(params["arguments"].get("text", ""))
        else:
            answer["error"] = {"code": -32601, "message": f"{method}: not known"}
        say(answer)
    if HOW == "ignores the end":
        time.sleep(600)


serve()
