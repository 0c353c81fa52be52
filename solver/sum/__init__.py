"""Placements of the least sum of costs: by bounds, by search and by CP-SAT."""
