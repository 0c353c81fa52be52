"""HTTP for modules that have no socket: asked of the host, answered under the node's rules.

rules      which SCHEME://HOST:PORT a tool may reach
target     a URL taken apart, without any doubt about its host
addresses  which IP addresses nobody reaches unless they are listed
connect    from a name to a connection to an address that was checked
exchange   one request and its response over that connection, bounded
secrets    headers that the host adds and the module never sees
audit      a line for every request, refused ones included
gate       the way of one request through all of these, redirects included
"""

from __future__ import annotations

from edge_agent.egress.audit import Audit
from edge_agent.egress.gate import CallEgress, Egress
from edge_agent.egress.limits import EgressLimits
from edge_agent.egress.refusal import Kind, Refused
from edge_agent.egress.rules import Rule, parse_rule
from edge_agent.egress.secrets import Secret, Secrets

__all__ = [
    "Audit",
    "CallEgress",
    "Egress",
    "EgressLimits",
    "Kind",
    "Refused",
    "Rule",
    "Secret",
    "Secrets",
    "parse_rule",
]
