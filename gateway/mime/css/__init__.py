"""What style sheets say of the elements of a mail: rules, declarations, colours, and which of them hold.

Read for one window: a screen of 1000 by 800 pixels, in light colours. Everything is the sender's to write, so all
is bounded: rules beyond a bound are not applied, and `defects` of the message says so.
"""
