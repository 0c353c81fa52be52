"""Between an edge agent and a dispatcher."""
