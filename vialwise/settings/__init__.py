"""The settings of `vialwise serve`: a model a room, read, checked and printed here.

A setting is one field of a model: cds_hooks/settings.py (with its tables in trusted_clients.py and
quiet.py), smart_app/settings.py, or models.py for what concerns the server around both. Reading,
checks of type and bounds, `vialwise settings` and docs/settings.md follow from the field.
"""
