"""The order desk: the practice EHR in the browser, with a tour of six stories.

Everything here is of invented patients. It meets the CDS service and the app over HTTP only.
"""

from __future__ import annotations
