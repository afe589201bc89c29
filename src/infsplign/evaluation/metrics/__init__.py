"""Published rules as pure functions over detections; neither torch nor a detector is needed."""
