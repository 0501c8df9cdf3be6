"""What `serve` and `demo` start and stop: server, app, practice EHR, store."""
