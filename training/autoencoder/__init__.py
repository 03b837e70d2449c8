"""A variational autoencoder trained on a folder of pictures; its latent means are a kind of vectors."""
