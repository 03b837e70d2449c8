"""The catalogue: fields and facts of pictures that come from tables, people, models and crawls."""
