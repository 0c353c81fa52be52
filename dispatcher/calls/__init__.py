"""The life of one call: arguments, deadline, attempts, retry, cancel, what it spent."""
