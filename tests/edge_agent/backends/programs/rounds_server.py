"""A server of the stateless era alone, which asks by answers. Needs nothing installed."""
# ruff: noqa: T201 - a program of its own, as foreign ones are

import json
import sys

ERA = "2026-07-28"
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}}
    for name in ("book", "endless", "twice", "capable")
]


def elicit(message):
    schema = {"type": "object", "properties": {"seats": {"type": "integer"}}}
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


def text(value):
    return {"resultType": "complete", "content": [{"type": "text", "text": value}]}


def again(state, **wanted):
    return {"resultType": "input_required", "inputRequests": wanted, "requestState": state}


def call(params):
    name, state = params["name"], params.get("requestState")
    answers = params.get("inputResponses") or {}
    if name == "capable":
        return text(json.dumps(params["_meta"]["io.modelcontextprotocol/clientCapabilities"]))
    if name == "endless":
        return again("more", seats=elicit("Again?"))
    if state is None:
        return again("first", seats=elicit("How many seats?"), home={"method": "roots/list"})
    if name == "twice" and state == "first":
        return again("second")
    seats = answers["seats"]["content"]["seats"] if "seats" in answers else "no"
    return text(f"{seats} seats, {state}, {len(answers)} answers")


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    method, params = message["method"], message.get("params", {})
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    if method == "server/discover":
        answer["result"] = {
            "resultType": "complete",
            "supportedVersions": [ERA],
            "capabilities": {"tools": {}},
            "ttlMs": 0,
            "cacheScope": "private",
        }
    elif method == "tools/list":
        answer["result"] = {"resultType": "complete", "tools": TOOLS}
    elif method == "tools/call":
        answer["result"] = call(params)
    else:
        answer["error"] = {"code": -32601, "message": f"{method}: not known"}
    print(json.dumps(answer), flush=True)
