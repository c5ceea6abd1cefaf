"""The shipped examples for reverse proxies, in front of a real gateway: ``config/Caddyfile``, ``config/nginx.conf``."""
