"""What building a release of Postern takes: its version, its changelog. Not part of the wheel."""
