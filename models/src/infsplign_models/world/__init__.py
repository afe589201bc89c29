"""A world of pictures: 40 nouns of COCO drawn from emoji artwork, scenes composed of them, and captions that do not tell positions."""

from infsplign_models.world.captions import captions
from infsplign_models.world.nouns import NAMES, NOUNS, Noun
from infsplign_models.world.scenes import SIZE, Scenes, render, sample_scenes
from infsplign_models.world.sprites import Sprites, load_sprites

__all__ = ["NAMES", "NOUNS", "SIZE", "Noun", "Scenes", "Sprites", "captions", "load_sprites", "render", "sample_scenes"]
