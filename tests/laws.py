"""How many random examples a law gets: a part of them in ``make test``, all in ``make test-all``.

A law is a property test. The profile is chosen with ``--hypothesis-profile``, ``quick`` unless
another is named: see ``tests/conftest.py``.
"""

from hypothesis import settings

QUICK_PART = 6
#: Below this a law sees little but the simplest examples, which come first.
FEWEST = 20


def is_full():
    """Whether laws run with all their examples."""
    return settings.get_current_profile_name().startswith("full")


def most(count):
    """How many of ``count`` examples to try."""
    return count if is_full() else min(count, max(FEWEST, count // QUICK_PART))


def examples(count, **more):
    """Try so many examples in the full suite, each as long as it takes."""
    return settings(max_examples=most(count), deadline=None, **more)
