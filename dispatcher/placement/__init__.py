"""Which node a call runs on: filters, costs, what was learned, and why."""
