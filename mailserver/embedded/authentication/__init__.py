"""Who wrote a message that comes in: one Authentication-Results field (RFC 8601), made alike for the embedded server
and for Postfix's milter.

``verifier`` puts the checks together, in threads and within a deadline. ``spf_check`` (RFC 7208), ``dkim_check`` (RFC
6376) and ``arc`` (RFC 8617) say what they found; ``signature`` is what the last two share. ``dmarc`` (RFC 9989) judges
by it, with the domains that ``tree_walk`` finds;
``rescue`` believes a trusted forwarder, by what ``reports`` reads in its field.
``authors`` reads who a message says it is from, ``lookups`` asks DNS, ``field`` writes the result.

It informs and never refuses. What name servers do not say in time is ``temperror``, never a failure.
"""
