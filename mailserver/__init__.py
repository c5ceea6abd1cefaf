"""The mail servers that Postern can use. Imports nothing from gateway."""
