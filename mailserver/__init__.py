"""The mail servers Postern can stand on. Imports nothing from gateway."""
