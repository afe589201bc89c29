"""The page of `infsplign app`: one prompt, unguided and guided side by side, in a browser.

    reading     how a prompt is read, as HTML; vocabulary: the words on the buttons
    previews    watches a sampling and decodes the predicted clean latents
    workshop    one loaded pipeline and one sampling at a time, in a thread of its own
    results     what one sampling made; overlay: attention over a picture; views: HTML of progress and verdict
    folder      everything of a session as a folder for `infsplign report` and `infsplign score`
    session     what the buttons do; page: the components; server: starts it

Only `session`, `page` and `server` import gradio.
"""
