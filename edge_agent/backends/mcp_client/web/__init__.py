"""HTTP as a remote server is spoken to: connections, secrets, events, headers."""
