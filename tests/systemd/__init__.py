"""The gateway and its units under systemd.

``test_notify``, ``test_watchdog``, ``test_journal`` and ``test_listeners`` need no systemd: the test is the other end
of its sockets. ``test_units`` reads the shipped files with systemd's own tools, ``test_host`` runs them on a booted
host.
"""
