"""Organizations, pods and keys: who may use the gateway, and what they used."""
