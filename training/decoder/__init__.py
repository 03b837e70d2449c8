"""The decoder: its model, pretraining, and training by teacher forcing and by reward."""
