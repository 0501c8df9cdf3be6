"""FHIR R4 as a server speaks it: search, bundles, errors, and what of it is declared."""
