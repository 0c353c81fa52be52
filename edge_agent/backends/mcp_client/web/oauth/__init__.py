"""OAuth for remote servers: where tokens are had, how, and where a login is kept."""
