"""What the official conformance suite asks of a server: its tools, resources and prompts by name.

A server of the `mcp` package, over lines or (``--http PORT``) HTTP with streams that can be resumed.
"""

import asyncio
import base64
import json
import sys

import uvicorn
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp_types import EmptyResult, SamplingMessage, TextContent
from pydantic import BaseModel

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
EMPTY = {"type": "object", "properties": {}}
JSON_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
TITLED = [{"const": one, "title": one.title()} for one in ("low", "medium", "high")]
ENUMS = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2"],
        "enumNames": ["Option One", "Option Two"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2"]}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}
bus = InMemorySubscriptionBus()
TOOLS = {}


def text(value):
    return {"type": "text", "text": value}


def resource(uri, value, kind="text/plain"):
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": value}}


def tool(schema=EMPTY):
    def add(function):
        TOOLS[function.__name__] = (function, schema)
        return function

    return add


def of(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


STRING = {"type": "string"}


@tool()
async def test_simple_text(ctx):
    return [text("This is a simple text response for testing.")]


@tool()
async def test_image_content(ctx):
    return [{"type": "image", "data": PNG, "mimeType": "image/png"}]


@tool()
async def test_audio_content(ctx):
    return [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]


@tool()
async def test_embedded_resource(ctx):
    return [resource("test://embedded-resource", "This is an embedded resource content.")]


@tool()
async def test_multiple_content_types(ctx):
    image = {"type": "image", "data": PNG, "mimeType": "image/png"}
    mixed = resource(
        "test://mixed-content-resource", '{"test":"data","value":123}', "application/json"
    )
    return [text("Multiple content types test:"), image, mixed]


@tool()
async def test_tool_with_logging(ctx):
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", line, related_request_id=ctx.request_id)
        await asyncio.sleep(0.05)
    return [text("done")]


test_logging_tool = tool()(
    type(test_tool_with_logging)(test_tool_with_logging.__code__, globals(), "test_logging_tool")
)


@tool()
async def test_tool_with_progress(ctx):
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100, f"Completed step {done} of 100")
        await asyncio.sleep(0.05)
    return [text("done")]


@tool()
async def test_error_handling(ctx):
    raise RuntimeError("This tool intentionally returns an error for testing")


@tool()
async def test_reconnection(ctx):
    if ctx.close_sse_stream is not None:
        await ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    return [text("Reconnection test completed")]


async def elicit(ctx, message, properties, required=()):
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)


async def sample(ctx, prompt):
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    answer = await ctx.session.create_message(
        [message], max_tokens=100, related_request_id=ctx.request_id
    )
    return answer.content.text


@tool(of(prompt=STRING))
async def test_sampling(ctx, prompt):
    return [text(f"LLM response: {await sample(ctx, prompt)}")]


@tool(of(message=STRING))
async def test_elicitation(ctx, message):
    answer = await elicit(
        ctx, message, {"username": STRING, "email": STRING}, ["username", "email"]
    )
    return [text(f"User response: action={answer.action}, content={json.dumps(answer.content)}")]


@tool()
async def test_elicitation_sep1034_defaults(ctx):
    answer = await elicit(ctx, "Please review", DEFAULTS)
    return [text(f"Elicitation completed: action={answer.action}")]


@tool()
async def test_elicitation_sep1330_enums(ctx):
    answer = await elicit(ctx, "Please select", ENUMS)
    return [text(f"Elicitation completed: action={answer.action}")]


@tool()
async def test_streaming_elicitation(ctx):
    answer = await elicit(ctx, "Go on?", {"sure": STRING})
    return [text(answer.action)]


@tool()
async def test_missing_capability(ctx):
    return [text(await sample(ctx, "Anybody there?"))]


@tool()
async def test_input_required_result_elicitation(ctx):
    answer = await elicit(ctx, "What is your name?", {"name": STRING}, ["name"])
    return [text(f"Hello, {(answer.content or {}).get('name')}!")]


@tool()
async def test_input_required_result_sampling(ctx):
    return [text(await sample(ctx, "What is the capital of France?"))]


@tool()
async def test_input_required_result_list_roots(ctx):
    return [text(str(len((await ctx.session.list_roots()).roots)))]


@tool()
async def test_input_required_result_request_state(ctx):
    answer = await elicit(ctx, "Please confirm", {"ok": {"type": "boolean"}}, ["ok"])
    return [text(f"state-ok {answer.action}")]


test_input_required_result_tampered_state = tool()(
    type(test_input_required_result_request_state)(
        test_input_required_result_request_state.__code__,
        globals(),
        "test_input_required_result_tampered_state",
    )
)


@tool()
async def test_input_required_result_multiple_inputs(ctx):
    await asyncio.gather(
        elicit(ctx, "What is your name?", {"name": STRING}, ["name"]),
        sample(ctx, "Generate a greeting"),
        ctx.session.list_roots(),
    )
    return [text("all there")]


@tool()
async def test_input_required_result_multi_round(ctx):
    first = await elicit(ctx, "Step 1: What is your name?", {"name": STRING}, ["name"])
    second = await elicit(ctx, "Step 2: What is your favorite color?", {"color": STRING}, ["color"])
    return [text(f"{first.content} {second.content}")]


@tool()
async def test_input_required_result_capabilities(ctx):
    return [text(await sample(ctx, "Are you there?"))]


@tool()
async def test_trigger_tool_change(ctx):
    await bus.publish(ToolsListChanged())
    await ctx.session.send_tool_list_changed()
    return [text("changed")]


@tool()
async def test_trigger_prompt_change(ctx):
    await bus.publish(PromptsListChanged())
    await ctx.session.send_prompt_list_changed()
    return [text("changed")]


@tool(JSON_SCHEMA)
async def json_schema_2020_12_tool(ctx, **_):
    return [text("fits")]


@tool({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}})
async def test_custom_headers(ctx, **arguments):
    return [text(str(arguments))]


# ---- the same in rounds, as the newer era asks


def question(message, name, kind="string"):
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


SAMPLE = {
    "method": "sampling/createMessage",
    "params": {
        "messages": [{"role": "user", "content": text("What is the capital of France?")}],
        "maxTokens": 100,
    },
}
ROOTS = {"method": "roots/list", "params": {}}
NAME = {"user_name": question("What is your name?", "name")}
ROUNDS = {
    "test_input_required_result_elicitation": [NAME],
    "test_input_required_result_sampling": [{"capital_question": SAMPLE}],
    "test_input_required_result_list_roots": [{"client_roots": ROOTS}],
    "test_input_required_result_request_state": [
        {"confirm": question("Please confirm", "ok", "boolean")}
    ],
    "test_input_required_result_tampered_state": [
        {"confirm": question("Please confirm", "ok", "boolean")}
    ],
    "test_input_required_result_multiple_inputs": [
        {**NAME, "greeting": SAMPLE, "client_roots": ROOTS}
    ],
    "test_input_required_result_multi_round": [
        {"step1": question("Step 1: What is your name?", "name")},
        {"step2": question("Step 2: What is your favorite color?", "color")},
    ],
    "test_input_required_result_capabilities": [{"sample": SAMPLE, **NAME}],
    "test_streaming_elicitation": [NAME],
    "test_input_required_result_prompt": [
        {"user_context": question("What context should the prompt use?", "context")}
    ],
}


def wanted(ctx, params):
    """What a request of the newer era is answered instead of its result, or None."""
    if ctx.protocol_version != "2026-07-28" or params.name not in ROUNDS:
        return None
    rounds, state = ROUNDS[params.name], params.request_state
    if state is not None and state not in ("round 1", "round 2"):
        raise MCPError(-32602, "requestState was tampered with")
    number = int(state.split()[1]) if state else 0
    kinds = ctx.session.client_capabilities.model_dump(exclude_none=True)
    answers = params.input_responses or {}
    asked = rounds[max(number - 1, 0)]
    if all(isinstance(answers.get(key), BaseModel | dict) for key in asked):
        number = max(number, 1)
        if number == len(rounds):
            return None
        asked = rounds[number]
    asked = {key: one for key, one in asked.items() if one["method"].split("/")[0] in kinds}
    return {
        "resultType": "input_required",
        "inputRequests": asked,
        "requestState": f"round {min(number + 1, len(rounds))}",
    }


def lacking(ctx, name):
    kinds = ctx.session.client_capabilities.model_dump(exclude_none=True)
    if (
        ctx.protocol_version == "2026-07-28"
        and name == "test_missing_capability"
        and "sampling" not in kinds
    ):
        data = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(-32021, "Missing required client capability", data)


async def list_tools(ctx, params):
    return {
        "tools": [
            {"name": name, "description": name, "inputSchema": schema}
            for name, (_, schema) in TOOLS.items()
        ]
    }


async def call_tool(ctx, params):
    if params.name not in TOOLS:
        raise MCPError(-32602, f"no tool is called {params.name}")
    lacking(ctx, params.name)
    asked = wanted(ctx, params)
    if asked is not None:
        return asked
    if ctx.protocol_version == "2026-07-28" and params.name in ROUNDS:
        return {"content": [text("Hello, Alice!")]}
    try:
        return {"content": await TOOLS[params.name][0](ctx, **(params.arguments or {}))}
    except MCPError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a tool raises is its answer
        return {"content": [text(str(error))], "isError": True}


RESOURCES = {
    "test://static-text": ("text/plain", "This is the content of the static text resource."),
    "test://static-binary": ("image/png", base64.b64decode(PNG)),
    "test://watched-resource": ("text/plain", "Watched resource content"),
}


async def list_resources(ctx, params):
    return {
        "resources": [
            {"uri": uri, "name": uri, "mimeType": kind} for uri, (kind, _) in RESOURCES.items()
        ]
    }


async def list_templates(ctx, params):
    one = {
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "mimeType": "application/json",
    }
    return {"resourceTemplates": [one]}


async def read_resource(ctx, params):
    uri = str(params.uri)
    if uri.startswith("test://template/"):
        number = uri.split("/")[3]
        found = (
            "application/json",
            json.dumps({"id": number, "templateTest": True, "data": f"Data for ID: {number}"}),
        )
    elif uri in RESOURCES:
        found = RESOURCES[uri]
    else:
        code = -32602 if ctx.protocol_version == "2026-07-28" else -32002
        raise MCPError(code, f"no resource {uri}", {"uri": uri})
    kind, value = found
    body = {"text": value} if isinstance(value, str) else {"blob": base64.b64encode(value).decode()}
    return {"contents": [{"uri": uri, "mimeType": kind, **body}]}


def of_either_era(function, **cache):
    """The same with what the newer era requires of it."""

    async def handler(ctx, params):
        result = await function(ctx, params)
        modern = ctx.protocol_version == "2026-07-28"
        return {"resultType": "complete", **result, **cache} if modern else result

    return handler


def cacheable(function):
    return of_either_era(function, ttlMs=0, cacheScope="private")


def said(content):
    return {"role": "user", "content": content}


async def list_prompts(ctx, params):
    with_arguments = {
        "test_prompt_with_arguments": ("arg1", "arg2"),
        "test_prompt_with_embedded_resource": ("resourceUri",),
    }
    names = (
        "test_simple_prompt",
        "test_prompt_with_image",
        "test_input_required_result_prompt",
        *with_arguments,
    )
    return {
        "prompts": [
            {
                "name": name,
                "description": name,
                "arguments": [
                    {"name": one, "required": True} for one in with_arguments.get(name, ())
                ],
            }
            for name in names
        ]
    }


async def get_prompt(ctx, params):
    asked = wanted(ctx, params)
    if asked is not None:
        return asked
    name, arguments = params.name, params.arguments or {}
    if name == "test_prompt_with_arguments":
        messages = [
            text(f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'")
        ]
    elif name == "test_prompt_with_embedded_resource":
        messages = [
            resource(arguments["resourceUri"], "Embedded resource content."),
            text("Please process it."),
        ]
    elif name == "test_prompt_with_image":
        messages = [
            {"type": "image", "data": PNG, "mimeType": "image/png"},
            text("Please analyze it."),
        ]
    elif name == "test_input_required_result_prompt" and ctx.protocol_version == "2026-07-28":
        messages = [text("With the context that was given.")]
    elif name == "test_input_required_result_prompt":
        answer = await elicit(
            ctx, "What context should the prompt use?", {"context": STRING}, ["context"]
        )
        messages = [text(str(answer.content))]
    else:
        messages = [text("This is a simple prompt for testing.")]
    return {"messages": [said(one) for one in messages]}


async def complete(ctx, params):
    return {"completion": {"values": [], "total": 0, "hasMore": False}}


async def nothing(ctx, params):
    return EmptyResult()


class Fixture(Server):
    def create_initialization_options(self, notification_options=None, *argv, **more):
        changed = NotificationOptions(
            tools_changed=True, prompts_changed=True, resources_changed=True
        )
        return super().create_initialization_options(changed, *argv, **more)


class Events(EventStore):
    """Keeps all that it sent, for streams that are resumed."""

    def __init__(self):
        self.kept = []

    async def store_event(self, stream_id, message):
        self.kept.append((stream_id, message))
        return str(len(self.kept))

    async def replay_events_after(self, last_event_id, send_callback):
        stream = self.kept[int(last_event_id) - 1][0]
        for number, (other, message) in enumerate(self.kept, 1):
            if other == stream and number > int(last_event_id) and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


server = Fixture(
    "conformance",
    version="1.0",
    on_list_tools=cacheable(list_tools),
    on_call_tool=of_either_era(call_tool),
    on_list_resources=cacheable(list_resources),
    on_list_resource_templates=cacheable(list_templates),
    on_read_resource=cacheable(read_resource),
    on_subscribe_resource=nothing,
    on_unsubscribe_resource=nothing,
    on_list_prompts=cacheable(list_prompts),
    on_get_prompt=of_either_era(get_prompt),
    on_completion=of_either_era(complete),
    on_set_logging_level=nothing,
    on_subscriptions_listen=ListenHandler(bus),
)


async def over_lines():
    async with stdio_server() as (inbound, outbound):
        await server.run(inbound, outbound, server.create_initialization_options())


if __name__ == "__main__":
    if "--http" in sys.argv:
        port = int(sys.argv[sys.argv.index("--http") + 1])
        app = server.streamable_http_app(event_store=Events(), retry_interval=50)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
    else:
        asyncio.run(over_lines())
