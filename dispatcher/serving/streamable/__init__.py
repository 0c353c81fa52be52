"""Streamable HTTP: sessions and their ends, ids of requests, clients that take no events."""
