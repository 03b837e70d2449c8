"""People and programs reach the library over HTTP: the page, the API, health."""
