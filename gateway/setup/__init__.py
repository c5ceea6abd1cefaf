"""Setting up a server: from a few answers to a running, hardened installation, and back again.

::

    cli/setup.py ─ asks ─► answers ─► plan (a list of steps, pure data) ─► apply ─► hands ─► the machine
                              ▲            ▲                                 │
                           machine (facts)  settings_file, units, tls …      └► manifest

- :mod:`answers`: what is chosen; kept in the manifest, so that a later run needs only what changes.
- :mod:`layout`: every path of the production layout.
- :mod:`machine`: what the machine is like: release, packages, ports and who holds them, addresses, firewall.
- :mod:`plan`: the steps that lead there. It reads nothing and changes nothing.
- :mod:`hands`: the only module that changes the machine. With ``--dry-run`` other hands print what these would do.
- :mod:`apply`: compares each step with what is there, and acts on the difference.
- :mod:`manifest`: what setup made, written (and fsynced) *before* each act, so that a setup that was interrupted can
  be run again or removed. A file whose digest is not one setup wrote is the administrator's: it is kept.
- :mod:`remove`: undoes what the manifest holds.

The same decisions are made with ``--dry-run``, as root on a server, and below ``--root DIR`` for an image.
"""
