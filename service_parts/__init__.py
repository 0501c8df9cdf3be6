"""What both services, the CDS service and the app, are built with and neither owns: a database's
transactions and times, limits of callers, charts, and what is logged. Nothing of the domain."""
