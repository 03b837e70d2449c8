"""What the server tells of itself: logs, figures, and one id for each request."""
