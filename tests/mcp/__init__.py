"""MCP: the tools over streamable HTTP and over stdio, called with the official client package."""
