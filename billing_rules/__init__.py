"""The core: an order, a chart and a catalogue in, findings out.

Nothing here knows HTTP, Flask, the environment or the clock: the same order, chart and
date of service give the same answer (tests/test_architecture.py holds this).
"""
