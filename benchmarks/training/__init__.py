"""Steps of training a second, by the way in which batches are made."""
