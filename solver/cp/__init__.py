"""What every CP-SAT model here is built with: variables, rows, objectives."""
