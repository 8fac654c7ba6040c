"""Input and output: cases of arrays and files; samples, batches and streams."""
