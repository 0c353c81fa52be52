"""What comes in by HTTP before anything is known of it: connections, heads, bodies, their bounds."""
