"""What both services, the CDS service and the app, are built with and neither owns: a database's
transactions and times, and what is logged. No domain, no web framework."""
