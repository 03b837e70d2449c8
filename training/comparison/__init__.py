"""Compare kinds of vectors and ways to search them, on a person's own pictures."""
