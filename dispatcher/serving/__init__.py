"""The process: HTTP, stdio, the JSON API, who may enter, local agents."""
