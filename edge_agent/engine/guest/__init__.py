"""Core modules, and what the host gives them."""
