"""What the gateway and systemd exchange; without systemd nothing is.

``notify`` says ready, busy, stopping and alive (sd_notify(3)); ``watchdog`` decides what alive means; ``activation``
takes over the listeners that ``postern.socket`` holds (sd_listen_fds(3)); ``journal`` writes log records with their
fields (systemd's JOURNAL_NATIVE_PROTOCOL); ``container`` knows Postern's own image. The units are in the top
folder ``systemd/``.
"""
