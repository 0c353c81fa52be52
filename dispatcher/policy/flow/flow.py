"""Labels that follow data through the single calls of clients.

What a private call gives is remembered as fingerprints, and a later argument that holds such
content has the label that the call had, whichever client sends it: an agent may open a session for
each call. Under ``session`` a session has the labels of all that it was given; the calls that come
without a session count as one, since nothing tells them apart.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from dispatcher.errors import ConfigError
from dispatcher.policy.flow.hashing import Hashes
from dispatcher.policy.flow.labels import Label, Raised, Source, strictest_first
from dispatcher.policy.flow.memory import KEPT_S, Memory
from dispatcher.policy.flow.prints import Printer
from dispatcher.policy.flow.readings import readings
from dispatcher.store.base import Store
from ground.files import write_whole

Mode = Literal["off", "content", "session"]
#: What everybody may know, as a version and values; prints are taken when the version changes.
Public = Callable[[], tuple[object, Iterable[Any]]]

_KEY_FILE: Final = "flow-key"
_KEY_BYTES: Final = 32
_PUBLIC_MAX: Final = 1024 * 1024
_SESSIONS_MAX: Final = 10_000
_SEEN_S: Final = 60.0
_SEEN_MAX: Final = 1024
_NAMED: Final = 3  # calls that a reason names


class Flow:
    """Remembers what was private, and finds it in arguments. Owned by the event loop.

    Attributes:
        active: whether anything private was given yet: before, there is nothing to look for.
        public: what every client may know anyway, so that it is never taken for private content:
            the definitions of the tools.
    """

    def __init__(
        self, mode: Mode, declassifies: Iterable[str] = (), store: Store | None = None
    ) -> None:
        self.mode = mode
        self.active = False
        self.public: Public = lambda: (None, ())
        self._declassifies = tuple(declassifies)
        self._store = store
        self._use_key(secrets.token_bytes(_KEY_BYTES))
        self._common: tuple[object, frozenset[int]] = (object(), frozenset())
        self._sessions: dict[str, dict[Label, Source]] = {}
        #: The labels of sessions of an earlier process, which may go on under other names.
        self._earlier: dict[Label, Source] = {}

    def open(self, state: Path) -> None:
        """Take in what an earlier process kept.

        Raises:
            ConfigError: the key in the state directory can be neither read nor made.
        """
        if self.mode == "off":
            return
        self._use_key(flow_key(state))
        self._memory.restore()
        self._printer.words = self._printer.rows = len(self._memory) > 0  # nobody knows of what
        if self.mode == "session":
            for source in self._memory.sources.values():
                _keep(self._earlier, replace(source))
        self.active = len(self._memory) > 0

    def raised(self, arguments: Mapping[str, Any], session: str) -> Raised | None:
        """The labels that a call has by what it holds, or by what its session was given."""
        reasons: dict[Label, str] = {}
        if len(self._memory):
            found = self._memory.find(self._looked(arguments))
            if found:
                name = self._argument(arguments)
                by_label: dict[Label, list[Source]] = {}
                for source in found:
                    by_label.setdefault(source.label, []).append(source)
                for label, sources in by_label.items():
                    words = list(dict.fromkeys(one.words() for one in sources))[:_NAMED]
                    reasons[label] = f"{name} holds what {' and '.join(words)} ({label.words()})"
        if self.mode == "session":
            least_s = time.time() - KEPT_S
            for held in (self._sessions.get(session, {}), self._earlier):
                for label, source in held.items():
                    if source.at_s >= least_s:
                        text = f"its session holds what {source.words()} ({label.words()})"
                        reasons.setdefault(label, text)
        if not reasons:
            return None
        labels = strictest_first(reasons)
        return Raised(labels, tuple(reasons[label] for label in labels))

    def gave(
        self,
        prints: Iterable[int],
        label: Label,
        *,
        tool: str,
        node: str,
        session: str,
        own: frozenset[int] = frozenset(),
    ) -> None:
        """A private call gave something.

        Args:
            prints: of it, of :meth:`kept`.
            label: what it is to have.
            tool: as ``server.name``.
            node: that ran it.
            session: of its client.
            own: the prints of the call's own arguments where they were not private: what a
                client said itself is not private for being said again.
        """
        if self.mode == "off" or label.privacy == "public":
            return
        self.active = True
        now_s = time.time()
        source = Source(label, tool, node, now_s, now_s)
        if self.mode == "session":
            if len(self._sessions) >= _SESSIONS_MAX and session not in self._sessions:
                self._everybody(next(iter(self._sessions)))
            _keep(self._sessions.setdefault(session, {}), replace(source))
        common = self._known_to_all()
        found = set(prints) - common - own
        if found:
            self._memory.add(source, list(found))

    def own(self, arguments: Mapping[str, Any]) -> frozenset[int]:
        """The prints of what a client sent, for :meth:`gave`."""
        return frozenset(
            one
            for text in readings(arguments)
            for some in self._printer.looked(text)
            for one in self._kept(some)
        )

    def kept(self, value: Any) -> list[int]:
        """The prints of what a private call gave: a result, an error, a message on the way.

        It may be called from any thread.
        """
        texts = list(readings(value))
        size = sum(map(len, texts))
        return self._kept(np.concatenate([self._printer.kept(text, size) for text in texts]))

    def gave_just_now(self, seen: int) -> bool:
        """Whether the same was given a moment ago, so that there is nothing new to remember."""
        now_s = time.monotonic()
        if now_s < self._seen.get(seen, 0.0):
            return True
        if len(self._seen) >= _SEEN_MAX:
            self._seen.clear()
        self._seen[seen] = now_s + _SEEN_S
        return False

    def release(self, value: Any) -> None:
        """A tool that declassifies gave a value: what it holds is as private as that tool's rule."""
        if len(self._memory):
            self._memory.release(list(self._looked(value)))
            self._seen.clear()

    def declassifies(self, server: str, name: str) -> bool:
        """Whether the output of a tool is no more private than the tool's own rule."""
        names = (name, f"{server}.{name}")
        return any(fnmatchcase(one, glob) for glob in self._declassifies for one in names)

    def _everybody(self, session: str) -> None:
        """Of the session that was made longest ago no name is kept, but its labels."""
        for source in self._sessions.pop(session).values():
            _keep(self._earlier, source)

    def _argument(self, arguments: Mapping[str, Any]) -> str:
        """Which of the arguments holds what is private, in words."""
        names = [
            name
            for name, value in arguments.items()
            if self._memory.find(self._looked({name: value}))
        ]
        if not names:
            return "what the arguments hold together"
        return f"argument{'s' if len(names) > 1 else ''} {' and '.join(names[:_NAMED])}"

    def _looked(self, value: Any) -> Iterator[Hashes]:
        for text in readings(value):
            yield from self._printer.looked(text, self._memory.knows)

    def _kept(self, hashes: Hashes) -> list[int]:
        found: list[int] = self._printer.mixed(hashes).tolist()
        return found

    def _use_key(self, key: bytes) -> None:
        self._printer = Printer(key)
        self._memory = Memory(self._printer, self._store)
        self._seen: dict[int, float] = {}  # until when, by hash
        self._memory.on_loss = self._seen.clear

    def _known_to_all(self) -> frozenset[int]:
        version, values = self.public()
        if version != self._common[0]:
            found: set[int] = set()
            left = _PUBLIC_MAX
            for text in readings(list(values)):
                for some in self._printer.looked(text[:left]):
                    found.update(self._kept(some))
                left -= len(text[:left])
            self._common = (version, frozenset(found))
        return self._common[1]


def flow_key(state: Path) -> bytes:
    """The key of the prints, made once and kept for this user's eyes only.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    path = state / _KEY_FILE
    try:
        if not path.exists() or path.stat().st_size != _KEY_BYTES:
            write_whole(path, secrets.token_bytes(_KEY_BYTES))
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name another --state") from None


def _keep(held: dict[Label, Source], source: Source) -> None:
    old = held.get(source.label)
    if old is None or old.at_s < source.at_s:
        held[source.label] = source
