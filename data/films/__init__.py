"""Films: frames sampled from them in bounded time and memory, and what the store keeps of both."""
