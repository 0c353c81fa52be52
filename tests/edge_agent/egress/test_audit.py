"""The audit on a disk that has no room."""

import json
import logging
import resource

from edge_agent.egress.audit import Audit, Entry


def entry(number):
    return Entry(
        "call", "fetch", "fetch", "GET", f"https://a/{number}", "", "allow", "", 200, 1, 1.0
    )


def test_a_line_that_does_not_fit_goes_to_the_log_and_spoils_no_other(tmp_path, caplog):
    file = tmp_path / "audit.jsonl"
    audit = Audit(file)
    audit.write(entry(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 20, hard))
    try:
        with caplog.at_level(logging.INFO):
            audit.write(entry(2))  # a part of it fits
            audit.write(entry(3))  # nothing of it fits
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    audit.write(entry(4))
    audit.close()
    for number in (2, 3):
        assert f"https://a/{number}" in caplog.text
    whole = []
    for line in file.read_text().splitlines():
        try:
            whole.append(json.loads(line)["url"])
        except ValueError:
            continue
    assert whole == ["https://a/1", "https://a/4"]
