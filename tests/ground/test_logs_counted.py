"""Lines that are said at once, then with a count."""

import logging

from ground.logs import Counted


def test_the_first_is_said_at_once_and_the_others_together(caplog, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    counted = Counted(logging.getLogger("t"), "%d fell", every_s=60.0)
    for _ in range(5):
        counted.happened()
    assert caplog.messages == ["1 fell"]
    now_s[0] += 61.0
    counted.say()
    counted.say()
    assert caplog.messages == ["1 fell", "4 fell"]
