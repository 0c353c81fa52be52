"""HTTP over sockets that connect to the address that was checked."""
