"""Ways to run a tool, behind one interface."""
