"""Which errors a user can cause, and what they say. Cheap to import."""


def message_of(error: BaseException) -> str | None:
    """Returns the message for an error that input, files or memory can cause; None for a bug in the program and for other exceptions."""
    from infsplign.errors import AttentionError, NonFiniteGradientError, UnsupportedPipelineError
    from infsplign.evaluation.memory_errors import is_out_of_memory

    if isinstance(error, UnsupportedPipelineError | AttentionError | NonFiniteGradientError):
        return str(error)
    if is_out_of_memory(error):
        return f"memory has run out: {str(error).strip() or type(error).__name__}\nTry `--dtype fp16`, smaller images, or fewer at once"
    if isinstance(error, ValueError | OSError):
        return str(error) or type(error).__name__
    return None
