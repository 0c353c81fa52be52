"""Bounds and keys of the contract between clients, dispatcher and agents, beside the messages.

What ``edge/v1/*.proto`` says in words, both programs take from here. The tool servers' SDK, which
is Rust, has the keys that it writes in ``wasm_tools/sdk/src``; a test compares them.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

#: A payload up to this stands in its message; a longer one follows in chunks.
INLINE_BYTES: Final = 256 * KIB
#: The most bytes of one chunk, of one part of a client request, of one piece of an artifact.
CHUNK_BYTES: Final = 256 * KIB
#: The largest message of a stream: a registration with all catalogues of a node's servers.
LARGEST_MESSAGE_BYTES: Final = 32 * MIB
#: The largest module that a dispatcher keeps and an agent takes.
LARGEST_MODULE_BYTES: Final = 64 * MIB
#: The largest answer of a call.
LARGEST_RESULT_BYTES: Final = 64 * MIB
#: The largest request of a server to the client, and the largest reply to it.
LARGEST_CLIENT_REQUEST_BYTES: Final = 8 * MIB
#: Open client requests of one call that an agent lets pass; a dispatcher takes twice as many.
OPEN_CLIENT_REQUESTS: Final = 8

#: How long a dispatcher waits for the client's reply: people take their time.
CLIENT_ANSWER_S: Final = 300.0

#: What a server may ask of a client while a call runs: the method, and the capability it needs.
CAPABILITY_OF: Final = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}

#: Every key of ours in an MCP ``_meta`` begins so.
PREFIX: Final = "dev.sanderling/"
REQUIREMENTS_KEY: Final = PREFIX + "requirements"  # of a request: what narrows its placement
PLACEMENT_KEY: Final = PREFIX + "placement"  # of a result: where it ran, and what that took
WHY_KEY: Final = PREFIX + "why"  # of a result: why it ran there, in words after "ran on NODE, "
ERROR_KEY: Final = PREFIX + "error"  # of a result: a server's JSON-RPC error
REFUSAL_KEY: Final = PREFIX + "refusal"  # of a result: why it ran nowhere
SESSION_KEY: Final = PREFIX + "session"  # of a request: its session; of a result: what it met
#: Of a request of the stateless era: its client goes on by itself, with a server of that era.
ROUNDS_KEY: Final = PREFIX + "rounds"
DATA_KEY: Final = PREFIX + "data"  # of a tool: the arguments that are paths
HINT_KEY: Final = PREFIX + "hint"  # of a tool: what narrows its placement
STATE_KEY: Final = PREFIX + "state"  # of a tool: what its server keeps, and for how long
