"""``postern doctor``: what could keep mail from flowing, looked at from this machine, each with what to do about it.

``finding``: what is said. ``scene``: what a check may use (settings, database, DNS, the gateway if it runs).
``examination``: running all checks at the same time, each with a deadline. ``development``: which checks do not apply
to a gateway in the development profile. ``checks_…``: the checks themselves, one function each; ``checks`` lists
them. ``probe`` and ``sntp``: talking to servers. ``notice``: the mail to postmaster@ about what fails.

A check never changes anything (the round trip cleans up after itself) and works with and without a running gateway.
Only the mail leaves a file, ``DATA/doctor.json``.
"""
