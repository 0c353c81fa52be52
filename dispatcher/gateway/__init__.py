"""MCP as its clients see it: tools, resources, prompts, both eras."""
