"""JSON of any shape to typed resources: the one reader."""
