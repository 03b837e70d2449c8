"""Pictures of requests are decoded and described in bounded processes."""
