"""Forms: what is typed, kept, shown again and written to the EHR."""
