"""The server's processes: starting, stopping, logs, metrics and what they tell each other."""
