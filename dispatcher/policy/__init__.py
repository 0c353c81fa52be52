"""What the operator and the caller permit: privacy, locality, egress."""
