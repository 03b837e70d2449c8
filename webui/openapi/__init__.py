"""The description of the API, made from the code: operations, schemas and documents."""
