"""What is in flight: on each node, and to each server that has slots of its own."""
