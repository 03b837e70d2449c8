"""A decoder is taught to caption: by teacher forcing, by reward, and together with its encoder."""
