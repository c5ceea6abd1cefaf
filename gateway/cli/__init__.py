"""The ``postern`` command.

``main`` holds the list of commands; each other module is one command or group. A command reaches the gateway
through :mod:`gateway.cli.connect`: a remote one by ``--url`` and ``--key``, the one that runs on the data
directory by its operator key, or one started for the time of the command. All of them speak HTTP, so the
command line can do nothing that the API would refuse.
"""
