"""The schema of the SQLite store, as numbered steps.

Step N takes a database from ``user_version`` N-1 to N. A step that was released never changes.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE nodes (
        name TEXT PRIMARY KEY,
        capabilities BLOB NOT NULL,
        agent_version TEXT NOT NULL,
        last_seen_s REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE calls (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        tool TEXT NOT NULL,
        node TEXT NOT NULL,
        status TEXT NOT NULL,
        started_s REAL NOT NULL,
        cold INTEGER NOT NULL,
        queue_ms REAL NOT NULL,
        start_ms REAL NOT NULL,
        exec_ms REAL NOT NULL,
        transfer_ms REAL NOT NULL,
        predicted_ms REAL NOT NULL,
        total_ms REAL NOT NULL
    );
    CREATE TABLE profiles (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        node TEXT NOT NULL,
        count REAL NOT NULL,
        sum_x REAL NOT NULL,
        sum_y REAL NOT NULL,
        sum_xx REAL NOT NULL,
        sum_xy REAL NOT NULL,
        PRIMARY KEY (kind, key, node)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE flow (
        id INTEGER PRIMARY KEY,
        gave_s REAL NOT NULL,
        at_s REAL NOT NULL,
        privacy TEXT NOT NULL,
        origin TEXT NOT NULL,
        site TEXT NOT NULL,
        tool TEXT NOT NULL,
        node TEXT NOT NULL,
        prints BLOB NOT NULL
    );
    """,
    """
    CREATE TABLE claims (
        node TEXT NOT NULL,
        path TEXT NOT NULL,
        first_s REAL NOT NULL,
        PRIMARY KEY (node, path)
    ) WITHOUT ROWID;
    """,
)
