"""Images of one prompt, with and without guidance: what the command `generate` and the page `app` share.

`options` says what is asked for, `models` loads the pipeline, `job` samples and makes the record, `verdicts` tells whether the relations
hold in the images, `messages` tells which errors a user can cause.
"""
