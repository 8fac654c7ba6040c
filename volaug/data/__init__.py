"""What goes in and out: files and arrays as cases, samples, batches, streams."""
