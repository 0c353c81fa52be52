"""Placements whose last output is back soonest."""
