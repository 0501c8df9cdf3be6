"""The EHR's FHIR server over HTTP: what was asked, as present, none or unknown with a reason.

No patient id, token or chart text is logged or put into an exception here
(tests/ehr_access/test_privacy.py holds this).
"""
