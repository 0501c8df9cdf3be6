"""FHIR R4 JSON to billing words and back: the only package that knows FHIR. Pure."""
