"""From an EHR's launch to a window, and what holds that window together."""
