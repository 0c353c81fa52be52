"""What there is: nodes, tools, servers that were added, their artifacts."""
