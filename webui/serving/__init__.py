"""The server and its processes: starting, stopping and replacing them."""
