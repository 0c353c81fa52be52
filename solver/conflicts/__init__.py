"""What keeps refused calls from running beside those that are placed, and what would mend it."""
