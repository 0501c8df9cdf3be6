"""The documentation site: docs/ as written, and pages made from the catalogue and its rules.

`make docs` builds it. What stands in the data is never written a second time by hand.
"""
