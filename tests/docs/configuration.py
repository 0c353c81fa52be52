"""docs/configuration.md, made from the code: `python -m tests.docs.configuration` writes it anew.

Keys, types, bounds and defaults are those of the models that read the files; the texts stand in
the models under each key (attribute docstrings, PEP 257).
"""

import ast
import inspect
import sys
from dataclasses import fields
from pathlib import Path
from textwrap import dedent

from dispatcher.config import agents, policy, tables
from edge_agent.backends.settings import ServerTable
from edge_agent.config import agent_config

PAGE = Path(__file__).parents[2] / "docs/configuration.md"

HEAD = """\
# Configuration

Made from the code (`make docs`): every key that a file may have. All are optional but those marked *needed*; an unknown key, a wrong type or a number out of bounds is an error that names it. Relative directories are relative to the file that names them. What the command line says goes before the environment, and that before the file.

`sanderling up --config FILE` and `sanderling dispatcher --config FILE` read the first part; `edge-agent run --config FILE` the second. `sanderling policy check FILE` says what in a file names no tool or node that is known.
"""

ENVIRONMENT = """\
## Environment

| variable | read by | meaning |
|---|---|---|
| `SANDERLING_STATE` | `sanderling` | the state directory, as `--state` |
| `SANDERLING_URL` | commands that ask a running dispatcher | its URL, as `--url` |
| `SANDERLING_TOKEN` | dispatchers, `edge-agent run` | the agents' token, in place of the one in the state directory or `token_file` |
| `SANDERLING_CLIENT_TOKEN` | commands and `sanderling mcp` with a URL | the clients' token, where the dispatcher asks for one |
| `SANDERLING_SERVE_TOKEN` | `edge-agent serve --http` | the token that its clients show, in place of `--token-file` |
| `SANDERLING_CACHE` | builds, boards under QEMU | where toolchains and engines are kept |
| `XDG_STATE_HOME`, `XDG_CACHE_HOME` | all | where `sanderling/` lies unless a directory is named |
| `NO_COLOR` | all | no colours on a terminal either |
| `SSL_CERT_FILE` | agents | the authorities that TLS trusts, in place of the system's |
"""

#: Heading, model, and what stands under the heading.
DISPATCHER = (
    ("`[dispatcher]`", tables.DispatcherConfig, "Where it listens and what it keeps."),
    ("`[policy]`", policy.PolicyConfig, "What binds a call. Labels: [privacy.md](privacy.md)."),
    (
        "`[[policy.rules]]`",
        policy.RuleConfig,
        (
            "Every rule whose `tools` match applies, and together they only narrow. A caller's "
            "requirements have the same keys but `tools`, `egress` and `limits`, and `origin` besides."
        ),
    ),
    (
        "`limits`",
        policy.LimitsConfig,
        (
            "Of a rule: the most that a call gets. Of an agent: the most that any call gets there. "
            "What is unasked, and what happens over it: [limits.md](limits.md)."
        ),
    ),
    (
        "`[policy.weights]`",
        policy.WeightsConfig,
        "What money and energy are worth: [prices.md](prices.md).",
    ),
    ("`[[policy.prices]]`", policy.PriceConfig, "What calls cost beside time."),
    ("`[[agents]]`", agents.AgentConfig, "The nodes that `sanderling up` starts."),
    ("`mounts`", agents.MountConfig, "Directories that tools see."),
    ("`egress`", agents.EgressConfig, "Where tools may send HTTP requests: [egress.md](egress.md)."),
    ("`egress_limits`", agents.EgressLimitsConfig, "Bounds of those requests."),
    ("`secrets`", agents.SecretConfig, "Headers that the agent adds to them."),
    (
        "`[[servers]]` and `[[agents.servers]]`",
        agents.SharedServerConfig,
        (
            "Servers that are no modules: [servers.md](servers.md). Exactly one of `command`, `url`, "
            "`image` and `rootfs` is needed (`command` goes with the last two). `agents` stands in "
            "`[[servers]]` alone."
        ),
    ),
    ("`limits` of a server", agents.ServerLimitsConfig, "By the kernel, of each process; absent, none."),
    ("`oauth` of a server", agents.OAuthConfig, "How a remote server's tokens are had."),
    ("`[[links]]`", tables.LinkConfig, "What is known of a link before it is measured."),
)  # fmt: skip
#: The type as a reader says it, where the schema says less.
LINKS = {
    "rules": "[below](#policyrules)",
    "weights": "[below](#policyweights)",
    "prices": "[below](#policyprices)",
    "limits": "[below](#limits)",
    "mounts": "[below](#mounts)",
    "egress": "[below](#egress)",
    "egress_limits": "[below](#egress_limits)",
    "secrets": "[below](#secrets)",
    "servers": "[below](#servers-and-agentsservers)",
    "oauth": "[below](#oauth-of-a-server)",
}


def texts(model):
    """Key -> the text under it, of a class and those that it extends."""
    found = {}
    for one in reversed(model.__mro__):
        if one.__module__.partition(".")[0] not in ("dispatcher", "edge_agent"):
            continue
        [tree] = ast.parse(dedent(inspect.getsource(one))).body
        for key, text in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr):
                found[key.target.id] = " ".join(text.value.value.split())
    return found


def of_schema(schema, whole):
    """A type in words: ``whole number, 1 to 256``, ``list of texts``, ``"a" or "b"``."""
    if "$ref" in schema:
        return of_schema(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        some = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(of_schema(one, whole) for one in some))
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "array":
            inner = of_schema(schema["items"], whole)
            plural = "tables" if inner == "table" else inner.replace("text", "texts")
            words = f"list of {plural}"
        case "string":
            words = "path" if schema.get("format") == "path" else "text"
        case "integer" | "number" as kind:
            words = number(schema, "whole number" if kind == "integer" else "number")
        case kind:
            words = {"boolean": "true or false", "object": "table"}[kind]
    return words


def number(schema, kind):
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    if "exclusiveMinimum" in schema and kind == "whole number":
        low, schema = low + 1, {**schema, "minimum": low + 1}
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    over = "" if "minimum" in schema else "over "
    if low is not None and high is not None:
        return f"{kind}, {over}{low:,.15g} to {high:,.15g}"
    return kind if low is None else f"{kind}, {over or 'from '}{low:,.15g}"


def default(schema):
    value = schema.get("default")
    if value in (None, "", [], {}) or isinstance(value, dict):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`".replace("'", '"')


def rows(model, *, only=None):
    schema = model.model_json_schema(by_alias=True)
    told = texts(model)
    for name, field in model.model_fields.items():
        key = field.alias or name
        if only is not None and key not in only:
            continue
        one = schema["properties"][key]
        kind = of_schema(one, schema)
        needed = "*needed*" if key in schema.get("required", ()) else default(one)
        link = LINKS.get(key, "") if "table" in kind else ""
        if (key, model) == ("limits", agents.SharedServerConfig):
            link = link.replace("#limits", "#limits-of-a-server")
        more = [told.get(name, ""), link]
        yield f"| `{key}` | {kind} | {needed} | {' '.join(filter(None, more))} |"


def table(lines):
    return ["| key | type | default | |", "|---|---|---|---|", *lines]


def agent_rows():
    """The agent's own file: what ``[[agents]]`` has, and what only an agent alone needs."""
    model = agents.AgentConfig
    shared = {line.split("`")[1]: line for line in rows(model)}
    told = texts(agent_config.AgentTable)
    kinds = {"token_file": "path", "state": "path", "policy": "table"}
    for field in fields(agent_config.AgentTable):
        if field.name == "policy":
            text = "[below](#policy-of-an-agent)"
        elif field.name in told:
            text = told[field.name]
        else:
            line = shared[field.name]
            yield line.replace("*needed*", "the host's name") if field.name == "name" else line
            continue
        yield f"| `{field.name}` | {kinds.get(field.name, 'text')} | | {text} |"


def page():
    """The whole page."""
    lines = [HEAD, "## The dispatcher's file", ""]
    for heading, model, text in DISPATCHER:
        lines += [f"### {heading}", "", text, "", *table(rows(model)), ""]
    lines += ["## An agent's own file", ""]
    lines += [
        (
            "The keys of `[[agents]]` stand at the top, `[[mounts]]` and `[[servers]]` are tables of "
            "their own. `name` and the address may come from the command line."
        ),
        "",
    ]
    lines += table(agent_rows())
    lines += [
        "",
        "### `[policy]` of an agent",
        "",
        "What the node runs, whatever a dispatcher asks.",
        "",
    ]
    told = texts(agent_config.PolicyTable)
    lines += table(f"| `{key}` | list of texts | | {text} |" for key, text in told.items())
    return "\n".join([*lines, "", ENVIRONMENT])


def keys_of_agents():
    """The keys that an agent reads, and those of the same table in a dispatcher's file."""
    own = {"dispatcher", "token", "token_file", "state", "policy"}
    return (
        ({field.name for field in fields(agent_config.AgentTable)} - own, set(agents.AgentConfig.model_fields)),
        ({field.name for field in fields(ServerTable)}, {field.alias or name for name, field in agents.ServerConfig.model_fields.items()}),
    )  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stderr.write(f"wrote {PAGE}\n")
