"""Evaluation: prompts, measures over detections, the resumable runner, the report.

The measures (`visor`, `strict`, `ratios`, `bootstrap`) are pure functions and import neither torch nor diffusers.
"""
