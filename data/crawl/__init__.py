"""Pictures of a web service, fetched by its API with their licences and what is known of them."""
