"""T5's tokenizer and encoder with a vocabulary of the world's words, for the shipped transformers."""

from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel, T5Tokenizer

from training.text import words

LENGTH = 120


def build_t5_tokenizer() -> PreTrainedTokenizerFast:
    """A Unigram model as T5's: known words are one piece, any other falls into characters."""
    known = words()
    characters = [chr(c) for c in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0)]
    pieces += [(f"▁{word}", -2.0) for word in known if word != "▁"] + [(word, -6.0) for word in known if len(word) > 1]
    pieces += [(c, -10.0) for c in characters if c not in dict(pieces)]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=LENGTH)
    split = [word for word in known if len(tokenizer(word).input_ids) > 2]
    if split:
        raise RuntimeError(f"the tokenizer splits known words: {split}")
    return tokenizer


def build_t5_encoder(tokenizer, width: int = 96) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=width,
            d_kv=width // 4,
            d_ff=2 * width,
            num_layers=2,
            num_heads=4,
            relative_attention_num_buckets=16,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            is_encoder_decoder=False,
            use_cache=False,
        )
    )
