"""A data directory of each release, opened by the code of today.

``make`` writes one for the version at hand: run it once when a version is released, and keep the file for ever.
"""
