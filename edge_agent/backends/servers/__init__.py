"""The servers of a node: each one's life, its catalogue, its calls."""
