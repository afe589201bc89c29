"""Words that tell how a picture is made, and name nothing in it: "masterpiece", "4k", "oil painting"."""

import re

from infsplign.prompts.word_lists import word_set

STYLE = word_set(
    "masterpiece masterpieces quality background backdrop wallpaper artstation deviantart pixiv octane unreal bokeh lighting "
    "photography cinematic photorealistic photorealism hyperrealistic hyperrealism hyper-realistic ultra-realistic photo-realistic "
    "realistic realism ultrarealistic surreal surrealism impressionism impressionist expressionism expressionist cubism cubist "
    "minimalism minimalist isometric anime manga render renders rendering rendered resolution hd hdr uhd fhd qhd raw dslr cgi vfx vhs "
    "lowpoly low-poly watercolor watercolour gouache detailed ultra-detailed highly-detailed intricate trending award award-winning "
    "aesthetic aesthetics vaporwave synthwave cyberpunk steampunk dieselpunk solarpunk chiaroscuro lowres highres absurdres ukiyo-e "
    "style styled stylized stylised centered centred isolated bw b&w sharp-focus depth-of-field tilt-shift closeup close-up macro "
    "wide-angle telephoto fisheye hdri volumetric ambient art artwork illustration photo photos photograph photographs screenshot "
    "concept digital vector voxel pixel 2d 3d pls please plz high-quality best ultra super hyper extremely unity ghibli disney pixar "
    "nikon canon kodak leica fujifilm arri unsplash midjourney gothic noir sepia monochrome grayscale greyscale kawaii chibi sci-fi "
    "scifi fantasy epic nsfw sfw safe solo glossy matte vray v-ray zbrush maya cinema4d c4d cgsociety pinterest behance shutterstock "
    "flickr instagram sdxl dalle dall-e rtx retro vintage nouveau deco bauhaus baroque renaissance rococo futurism futuristic dadaism "
    "pointillism claymation clipart clip-art doodle graffiti tracing blender hq uncensored watermark portraiture typography iso"
)
STYLE_HEADS = word_set(
    "style styles art render rendering illustration illustrations photography background backdrop colors colours color colour tones "
    "tone palette lighting light lights view shot quality resolution aesthetic vibe vibes focus contrast blur grain scene season "
    "engine design texture textures details detail shadows shadow illumination tracing footage photo photograph picture image "
    "painting drawing sketch print film effect effects filter lens angle exposure composition mood atmosphere contact cut realism "
    "fiction diffusion geographic still portrait poster cover animation lay tale rays shot"
)
"""Style where another word of style stands before them: "neon colors", "oil painting"."""
MODIFIERS = word_set(
    "oil pencil ink charcoal pen comic cartoon vintage studio polaroid acrylic crayon chalk fan clip pop line flat stock soft sharp "
    "shallow wide full long medium dramatic natural golden warm cool neon film matte award winning body wide-angle medium-shot "
    "watercolor digital vector pixel voxel concept simple plain white black blurred blurry grey gray dark bright low high rim ray "
    "motion front side top rear back aerial eye gradient pastel professional national storybook children's tattoo paper winter summer "
    "autumn spring night day book stable science street blender bokeh sunset forest city beach park garden nature landscape color "
    "colour lens moody soft-focus halftone cel comic-book fashion product macro portrait food editorial lifestyle wildlife wedding "
    "travel sports sketch anime manga fantasy retro found fairy god drone"
)
"""Words that may stand before those."""
EITHER = word_set(
    "texture textures sticker logo icon poster portrait mosaic origami sketch cartoon lego embroidery blueprint collage polaroid "
    "drawing painting print cover"
)
"""After a noun these are a thing ("dog sticker") or how the picture is made; only a comma tells."""
STYLE_NOUNS = (
    STYLE
    | STYLE_HEADS
    | word_set("engine depth field of winning saturation lens camera theme outline outlines body fantasy season angle hour")
)
_PAINTS = word_set("oil acrylic ink pastel pencil charcoal tempera gouache")
_TECHNICAL = re.compile(r"\d+(?:k|mm|p|px|fps|dpi|bit|:\d+|x\d+|s)?|f/?\d[\d.]*|iso\d*|\d+/\d+", re.IGNORECASE)


def is_style(word: str) -> bool:
    """Whether a word in lower case tells how the picture is made."""
    return word in STYLE or (any(char.isdigit() for char in word) and not word.isdigit() and bool(_TECHNICAL.fullmatch(word)))


def is_medium(word: str, following: str) -> bool:
    """Whether two words that follow a noun name a medium: "pencil sketch", "oil painting", "oil on canvas"."""
    if word in _PAINTS and following == "on":
        return True
    return word in MODIFIERS and (following in STYLE_HEADS or is_style(following))
