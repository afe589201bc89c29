"""From images to tables: detections, verdicts of each benchmark, measures with intervals."""
