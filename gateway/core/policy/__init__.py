"""Policies: what may be sent, by rules of the organization, its pods and its inboxes.

:mod:`patterns` says which addresses a pattern means, :mod:`resolve` what holds for an inbox by the rules over it,
:mod:`check` whether a new rule does, :mod:`manage` reads and changes rules. What a message is held against are the
modules named by the rule: :mod:`mode`, :mod:`recipients`. All but :mod:`manage` are pure.
"""
