"""One call while it lasts: its log, its prefetch, the EHR it may ask."""
