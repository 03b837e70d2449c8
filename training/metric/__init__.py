"""Train a metric: a projection in which pictures of one class lie near each other."""
