"""How fast the service answers, measured against a plain parse of the same bytes: `make bench`."""
