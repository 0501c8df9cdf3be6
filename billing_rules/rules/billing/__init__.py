"""Rules on what the order bills: codes, units, modifiers, containers."""
