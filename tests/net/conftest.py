from local_servers import anyio_backend, connects, zone

__all__ = ["anyio_backend", "connects", "zone"]
