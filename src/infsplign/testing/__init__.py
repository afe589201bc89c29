"""What the author of an adapter calls in a test."""

from infsplign.testing.attention_source import check_attention_source

__all__ = ["check_attention_source"]
