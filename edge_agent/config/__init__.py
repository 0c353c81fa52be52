"""What an agent is told: configuration, environment, directories."""
