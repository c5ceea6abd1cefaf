"""Invitations: what a text/calendar part says (RFC 5545, RFC 6047), and the answer to it (RFC 5546 §3.2.3).

``content_lines`` splits the text into components, ``times`` and ``zones`` read times, ``events`` makes
``mime.types.CalendarEvent`` of them, ``answer`` writes the calendar of a reply. All of it is linear in its input and
bounded, and what cannot be read is left out.
"""
