"""A server whose definitions no revision of MCP permits as they are; Python alone."""
# ruff: noqa: T201 - a program of its own, as foreign ones are

import json
import sys

NULLS = dict.fromkeys(("title", "description", "annotations", "_meta", "outputSchema"))
TOOLS = [
    {"name": "nulls", **NULLS, "inputSchema": {"type": "object", "properties": None}},
    {"name": "untyped", "inputSchema": {"properties": {"x": {"type": "integer"}}}},
    {"name": "absent"},
    {"name": "union", "inputSchema": {"type": ["object", "null"], "properties": {"p": True}}},
    {"name": "wrong", "title": 7, "annotations": [1], "_meta": "x", "inputSchema": "any"},
    {"name": "listing", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}},
    {"description": "no name"},
    "nothing",
]
LISTS = {
    "tools/list": {"tools": TOOLS},
    "resources/list": {"resources": [{"uri": "x://a/b", "size": "large"}, {"name": "no uri"}]},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "x://{y}", "name": 1}]},
    "prompts/list": {"prompts": [{"name": "p", "arguments": None, "title": ["t"]}]},
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": "sloppy", "version": "1"},
    },
}


def result_of(request):
    if request["method"] != "tools/call":
        return LISTS[request["method"]]
    if request["params"]["name"] == "listing":
        return {"structuredContent": [1, 2]}
    arguments = request["params"].get("arguments")
    return {"content": [{"type": "text", "text": json.dumps(arguments)}]}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result_of(message)}
        print(json.dumps(answer), flush=True)
