"""A server as its administrator has it: `postern setup` under a real systemd, with a network of its own, and the
world at the other end of the wire.

``host`` boots a machine in namespaces over an overlay of this one's root; ``network`` lays the wire and lets the test
speak from a host's place; ``world`` is the other side, a stock Postfix with OpenDKIM and OpenDMARC and a name server;
``install`` puts the wheel where an administrator's ``pipx`` puts it. Nothing of this machine is changed.
"""
