"""FHIR servers of others: what they offer, and the fixtures put there."""
