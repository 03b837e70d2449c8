"""What machines that share a library in PostgreSQL tell each other: who describes what, and the state of servers."""
