"""A synthetic world of flat shapes: its nouns, its renderer and its detector."""
