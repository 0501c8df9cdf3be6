"""The claim and what becomes of it: lines, alternatives, the dose as it was given."""
