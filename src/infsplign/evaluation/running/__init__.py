"""Making the images of an evaluation: resumable, in batches, on one process or several."""
