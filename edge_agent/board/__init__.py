"""What the board is and how it fares: sensors, capabilities, speed."""
