"""The calls of one agent: queued, checked against its limits, run, remembered, answered."""
