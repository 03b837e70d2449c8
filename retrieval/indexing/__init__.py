"""Pictures become described rows of the store: one run, and runs beside a server."""
