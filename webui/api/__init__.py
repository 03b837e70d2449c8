"""The API: one blueprint a resource, and the documents they answer with."""
