"""A server as its administrator has it: `postern setup` under a real systemd, with a network of its own, and the
internet at the other end of the wire.

``host`` boots a machine in namespaces over an overlay of this one's root; ``network`` lays the wire and lets the test
speak from a host's place; ``internet`` is the other side: a stock Postfix, OpenDKIM, OpenDMARC, a name server;
``install`` puts the wheel where an administrator's ``pipx`` puts it. Nothing of this machine is changed.
"""
