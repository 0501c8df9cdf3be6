"""`vialwise check`: from a file or a live server to reviews in words or JSON."""
