"""Login, rate limits, protection from other web sites, and the folders that may be added."""
