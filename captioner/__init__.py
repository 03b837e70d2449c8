"""A picture becomes features and captions: VGG16 encoder, LSTM decoder, beam search, bundle."""
