"""What of a mail reads like an instruction to a machine: a risk with reasons, from rules alone.

``words`` has the words of each language by what they mean, ``phrases`` the families that they form, ``markup`` the
marks that only machines read, ``folding`` undoes visible tricks, ``assess`` weighs what was found and where.
"""
