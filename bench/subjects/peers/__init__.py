"""Other libraries as subjects. May import what its room may."""
