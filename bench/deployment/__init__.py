"""A cluster on this machine, from packages: PostgreSQL, web servers behind nginx, and what else is installed."""
