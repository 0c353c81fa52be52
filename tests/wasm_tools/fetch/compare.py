"""Answers in a form that can be compared, wherever the site stood."""

from typing import Any


def filled(arguments: dict[str, Any], site: str) -> dict[str, Any]:
    """Arguments with the site's address in place."""
    return {
        key: value.replace("{site}", site) if isinstance(value, str) else value
        for key, value in arguments.items()
    }


def comparable(result: dict[str, Any], site: str) -> dict[str, Any]:
    """A result with {site} for the site's address; of wrong arguments only that it failed."""
    text = result["content"][0]["text"].replace(site, "{site}")
    if result["isError"] and ("validation error" in text or "Invalid arguments" in text):
        text = "wrong arguments"
    return {"isError": result["isError"], "text": text}
