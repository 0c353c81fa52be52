"""What an agent remembers of the calls that it ran."""

from edge_agent.calls.ledger import ACKED_COUNT, KNOWN_IDS, LARGEST_COUNT, Outcome, Records
from protos.edge.v1 import edge_pb2


def run(records, number):
    call_id = f"call-{number}"
    result = edge_pb2.Result(call_id=call_id, status=edge_pb2.STATUS_DONE)
    records.add(Outcome(result, b"answer"))
    return call_id


def test_a_result_that_was_taken_is_kept_for_a_while():
    records = Records()
    ids = [run(records, number) for number in range(ACKED_COUNT + 1)]
    records.acknowledge(ids)
    assert records.unacknowledged() == []
    assert records.find(ids[1]).payload == b"answer"
    assert "no longer kept" in records.find(ids[0]).result.message
    assert records.find("another") is None


def test_a_result_that_nobody_took_stays_longer():
    records = Records()
    ids = [run(records, number) for number in range(LARGEST_COUNT)]
    assert [outcome.call_id for outcome in records.unacknowledged()] == ids


def test_ids_stay_known_long_after_their_results():
    records = Records()
    for number in range(KNOWN_IDS * 3):
        records.acknowledge([run(records, number)])
    last = KNOWN_IDS * 3
    for number in range(last - ACKED_COUNT - KNOWN_IDS // 2, last):
        assert records.find(f"call-{number}") is not None
    assert records.find("call-0") is None
