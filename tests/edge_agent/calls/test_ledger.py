"""What an agent remembers of the calls that it ran."""

from edge_agent.calls.ledger import ACKED_COUNT, KNOWN_IDS, LARGEST_COUNT, Ledger
from edge_agent.calls.outcome import Outcome


def run(ledger, number):
    call_id = f"call-{number}"
    ledger.add(Outcome(call_id, b"answer"))
    return call_id


def test_a_result_that_was_taken_is_kept_for_a_while():
    ledger = Ledger()
    ids = [run(ledger, number) for number in range(ACKED_COUNT + 1)]
    ledger.acknowledge(ids)
    assert ledger.unacknowledged == {}
    assert ledger.find(ids[1]).payload == b"answer"
    assert "no longer kept" in ledger.find(ids[0]).message
    assert ledger.find("another") is None


def test_a_result_that_nobody_took_stays_longer():
    ledger = Ledger()
    ids = [run(ledger, number) for number in range(LARGEST_COUNT)]
    assert list(ledger.unacknowledged) == ids


def test_ids_stay_known_long_after_their_results():
    ledger = Ledger()
    for number in range(KNOWN_IDS * 3):
        ledger.acknowledge([run(ledger, number)])
    last = KNOWN_IDS * 3
    for number in range(last - ACKED_COUNT - KNOWN_IDS // 2, last):
        assert ledger.find(f"call-{number}") is not None
    assert ledger.find("call-0") is None
