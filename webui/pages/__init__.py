"""The page: what a person sees, rendered here from templates."""
