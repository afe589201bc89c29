"""Evaluation, in the order of the data flow: prompts, running (images), detectors, metrics, scoring (tables), page (HTML report).

`metrics` are pure functions and import neither torch nor diffusers. `files`, `fingerprint` and `model_hash` serve all of these folders.
"""
