"""The practice EHR: FHIR R4 over invented patients, SMART authorization and an order desk.

It imports nothing of the app or the CDS service: they meet over HTTP, as with any other EHR.
"""
