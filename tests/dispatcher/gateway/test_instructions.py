"""Instructions of servers: named, bounded, cut where it can be seen."""

from dispatcher.gateway.instructions import ALL_BYTES, EACH_BYTES, instructions
from dispatcher.registry.catalogues import Catalogue
from dispatcher.registry.nodes import NodeState


def node(name="n", **said):
    servers = {
        f"process/{server}": Catalogue(server, "process", instructions=text)
        for server, text in said.items()
    }
    return NodeState(name, servers=servers)


def test_each_stands_under_its_servers_name():
    told = instructions("Own.", [node(b="Use b\x1b[2J\n twice.", a=" Use a. ", c="")])
    assert told == "Own.\n\nServer a:\nUse a.\n\nServer b:\nUse b[2J\n twice."


def test_of_two_nodes_with_a_server_the_first_speaks():
    assert instructions("", [node(a="one"), node("m", a="two", b="b")]).count("Server a") == 1


def test_a_long_one_is_cut_and_says_so():
    told = instructions("Own.", [node(a="ü" * EACH_BYTES)])
    assert told.endswith(f" [cut: {EACH_BYTES} of {2 * EACH_BYTES} bytes]")
    assert len(told.encode()) < EACH_BYTES + 100


def test_all_together_are_bounded_and_those_left_out_are_named():
    told = instructions("Own.", [node(**{f"s{number:02}": "x" * 1500 for number in range(20)})])
    assert len(told.encode()) < ALL_BYTES + 500
    assert "[left out for their length: instructions of s10, s11," in told
    assert "Server s09:" in told


async def test_clients_of_every_version_are_told(app, client):
    app.known_nodes.append(node("board", clock="Ask for UTC."))
    told = await client.connect()
    assert "dev.sanderling/placement" in told["instructions"]
    assert told["instructions"].endswith("Server clock:\nAsk for UTC.")
