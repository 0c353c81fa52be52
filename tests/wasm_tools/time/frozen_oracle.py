"""Run the public time server with its clock stopped at NOW_S (seconds since 1970, UTC).

For recording: run by the Python that has `mcp-server-time`, never imported by a test.
"""

import asyncio
import os
from datetime import datetime, tzinfo

from mcp_server_time import server

NOW_S = float(os.environ["NOW_S"])


class Stopped(datetime):
    """A datetime whose now() never moves."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Stopped":
        return cls.fromtimestamp(NOW_S, tz)


server.datetime = Stopped
asyncio.run(server.serve("UTC"))
