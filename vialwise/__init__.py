"""The program around the rooms: command line, server, and the settings they need.

Nothing imports this package; it imports all the others (tests/test_architecture.py).
"""
