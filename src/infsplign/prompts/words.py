"""The function words and patterns by which prompts are read; `word_lists` has the words of content."""

import re

from infsplign.prompts.word_lists import NUMBERS, word_set

ARTICLES = word_set("a an the one")
DETERMINERS = ARTICLES | word_set("another some this these those my your his her its our their")
NAMELESS = word_set(
    "it itself they them themselves he she him himself herself yours hers theirs "
    "i me we us you there other others each both everything nothing something anything all "
    "former latter what whatever this that these those "
    "left right top bottom middle center centre side "
    "it's he's she's i'm we're you're they're what's "
    "it\u2019s he\u2019s she\u2019s i\u2019m we\u2019re you\u2019re they\u2019re what\u2019s"
)
PRONOUNS = word_set("it them him her me us you")
CHOICES = word_set("or nor either neither no not never none nobody nowhere hardly barely scarcely")
"""Nothing that can be drawn in one picture."""
WHICH = word_set("that which who whose where that's who's which's that\u2019s who\u2019s")
CONTEXT = word_set(
    "in on at upon with without within from by during against through along across around into onto wearing holding w/ w/o to too toward "
    "towards for as like than via per off out past up down amid amidst"
)
CARRYING = word_set("with without wearing holding carrying in w/ w/o")
"""Between a thing and what it has or wears."""
AWAY = word_set("above below under beneath underneath over near beside between inside behind atop next among alongside opposite")
"""Prepositions of place: no name goes on after them."""
COPULAS = word_set("is are was were be being been")
# Words between an object and its relation that belong to neither: "a cat [is sitting directly] above a table".
LINKS = COPULAS | word_set(
    "sitting standing lying laying resting hanging floating flying hovering walking running jumping sleeping parked placed located "
    "sits stands lies lays rests hangs floats hovers walks runs jumps sleeps swims sails waits looks swimming sailing waiting looking "
    "positioned situated seen shown perched directly just right immediately exactly slightly far high straight also then "
    "much halfway midway somewhere diagonally surrounded covered"
)
BARE = word_set("left right top bottom")  # adjectives as well ("a top hat"): relations only where an article follows
SIDES = BARE | word_set("upper lower middle center centre")  # a place ends before none of them: "in the top left of a box"
WEAK = word_set("in on upon within by")  # relations only where an article and an object follow that is no setting
EACH_OTHER = frozenset(("each other", "one another"))
THEM = frozenset(("them", "the two", "both", "both of them", "the two of them", "these", "these two"))

MEDIUM = (
    "photo|photograph|picture|image|painting|drawing|illustration|rendering|render|sketch|depiction|portrait|view|shot|close-up|closeup|scene|"
    "close\\s+up|watercolor|watercolour|photography|poster|selfie|snapshot|footage|polaroid|cartoon|sprite|panel|macro|mosaic|mural|engraving|"
    "woodcut|screenshot|still|animation|collage|artwork|art|print|pic|graphic|diagram|postcard|video|clipart|icon|logo|still life|wallpaper"
)
LEAD = re.compile(
    r"\s*(?:there(?:\s+(?:is|are)|['\u2019]s)\b|with\b|both\b(?=\s+(?:a|an|the)\s)"
    r"|this\s+is\b(?=\s+(?:a|an|the|one)\s)|(?:(?:i|we)\s+(?:want|need)|i(?:'d|\s+would)\s+like)(?:\s+to\s+see)?(?=\s+(?!(?:you|to)\s)\w)"
    r"|(?:(?:we|you|one|i)\s+(?:can\s+)?see\b|here(?:\s+(?:is|are)\b|['\u2019]s\b))(?=\s+\w)"
    r"|(?:(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?|please\s+)(?:show|draw|paint|make|give|render|generate|create)(?:\s+me)?"
    r"|(?:show|draw|paint|make|give)\s+me|draw(?!\s+(?:bridge|string|well)\b)|generate|create|imagine|visuali[sz]e)\b(?=\s+\w)"
    r"|(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?|please\s+)?(?:show|draw|paint|create|generate|imagine|make|give|render"
    r"|design|depict|illustrate|picture|photograph|visuali[sz]e|produce|sketch|compose|put|place|add)"
    r"(?:\s+me)?\b(?=\s+(?:a|an|the|one)\s)"
    rf"|(?:(?:a|an|the|this)\s+)?(?:(?!(?:a|an|the)\s)[\w'\u2019-]+,?\s+){{0,4}}?(?:{MEDIUM})\s+"
    r"(?:(?:taken\s+|shot\s+|seen\s+)?from\s+(?:above|below|behind|the\s+side)\s+)?"
    r"(?:of|with|(?:(?:that|which)\s+)?(?:show(?:ing|s)|depict(?:ing|s)|contain(?:ing|s)|featur(?:ing|es)|captur(?:ing|es)"
    r"|display(?:ing|s)|portray(?:ing|s)|has)|where|in\s+which)\b)",
    re.IGNORECASE,
)
_NO_THING = r"(?!\s+(?:frame|album|book|wall)\b)"
OF_THE_IMAGE = rf"\s+(?:of|in)\s+(?:the|this)\s+(?:{MEDIUM}|frame|canvas){_NO_THING}"
SIDE_OF_IMAGE = rf"(?:left|right)(?:\s+side)?\s+of\s+the\s+(?:image|picture|photo|photograph|frame|scene){_NO_THING}"
PLACE = r"(?:left|right|top|bottom|upper|lower|middle|center|centre)"
# Spatial words that are not understood. They are tried after `SPELLINGS`, so what is added there needs no change here.
UNKNOWN = (
    rf"(?:on|to|at|in)\s+the\s+{PLACE}(?:\s+side)?\s+(?:and|or|&)\s+(?:the\s+)?{PLACE}(?:\s+side)?\s+of",
    r"(?:on|to|at|in|from)\s+(?:(?:the|a|an|his|her|its|their|my|your|our)\s+)?[\w-]+(?:\s+[\w-]+)?['\u2019]s?\s+"
    rf"{PLACE}(?:[\s-]+hand)?(?:\s+side)?",
    rf"(?:on|at|in|to|from)\s+the\s+(?:far\s+|very\s+)?{PLACE}(?:[\s-]+(?:left|right))?(?:[\s-]+hand)?"
    r"(?:\s+(?:side|half|third|part|edge|corner|column|row|area|panel|section|quarter))?(?:\s+of(?:\s+the\s+(?:image|picture|photo|frame|canvas|scene))?)?",
    r"(?:top|bottom|upper|lower)(?:\s+|-)(?:left|right)(?:\s+(?:corner|side))?(?:\s+of)?",
    r"near(?:\s+to)?|next\s+to|beside|alongside|(?:close|adjacent)\s+to|(?:on|by)\s+(?:the\s+)?side\s+of|side\s+by\s+side",
    r"(?:in\s+)?between|among|in\s+(?:front|back)\s+of|behind|(?:in|out)side(?:\s+of)?|(?:far|away)\s+from|(?:small|larg|bigg)er\s+than",
    r"(?:on|to|at|by)\s+(?:its|his|her|their|my|your|our)\s+(?:left|right|side|top|bottom)(?:\s+side)?",
    r"(?:on|to|at|in)\s+the\s+(?:left|right)(?:[\s-]+hand)?\s+side(?:\s+(?:to|from|off|than)(?=\s+(?:a|an|the)\s)|(?=\s+\w))",
    r"(?:left|right)\s+(?:to|from|off|than)(?=\s+(?:a|an|the)\s)",
    r"opposite(?:\s+of)?|across\s+from|(?:tall|short|wid)er\s+than|not|never|(?:on|upon)\s+which|except(?:\s+for)?|(?:any|every)where\s+but|instead\s+of|rather\s+than|as\s+opposed\s+to|(?<=[,;.]\s)(?:avoid|exclude|without\s+any)|\w+n['\u2019]t",
)
_DOT = r"(?-i:(?<!\b[MD]r)(?<!\b[MS]t)(?<!\bM[sx])(?<!\bMrs)(?<!\bProf)(?<!\bvs)(?<![A-Z]\.[A-Z])\.)(?=\s|$)"
"""A full stop, and not that of "Mr. Smith" or "the U.S. flag"."""
_BULLET = r"(?:\A|\n)\s*(?:(?:[-\u2022]|\d{1,2}[.)])\s+|\d{1,2}\s+(?=(?:a|an|the)\s))"
"""What an item of a list begins with."""
CLAUSE_END = re.compile(
    rf"{_BULLET}|[,;!?\u3001\u3002\uff0c\u2026\u2022]|{_DOT}|:(?=\s|$)|(?-i:(?<=[a-z])\.(?=[A-Z]))|\s(?:[-\u2013/|]|--)\s|\u2014"
    r"|\b(?:while|whereas|but)\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(rf"{_BULLET}|[;!?\u3002]|{_DOT}|:(?=\s|$)|(?<=[a-z])\.(?=[A-Z])")
_OUTSIDE = r"\s\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u2022\u300c\u300d\u300e\u300f\uff08\uff09.,;:!?"
WORD = re.compile(rf"[^{_OUTSIDE}](?:\S*[^{_OUTSIDE}])?")  # without the quotes and punctuation around it
AND = re.compile(r"(?<![\w-])and(?![\w-])|&|(?<=\s)\+(?=\s)", re.IGNORECASE)
UNCLEAR = re.compile(r"(?<=[^\W\d])/(?=[^\W\d])|[()\[\]{}|=*\"\u201c\u201d]|<(?![\w-]+>)|(?<![\w-])>")
STOPS = (
    DETERMINERS - {"one"}
    | WHICH
    | CONTEXT
    | AWAY
    | COPULAS
    | CHOICES
    | word_set("and & + both each all every there it them itself while whereas but then if unless until ; , . : !")
)
"""Words that no name goes on after."""
VIEWPOINTS = (
    r"(?:seen\s+|viewed\s+|shot\s+|taken\s+)?from\s+(?:high\s+)?"
    r"(?:above|below|behind|the\s+(?:side|front|back|top|left|right)(?=\s*(?:$|[,.;:!?)])|\s+(?:and|in|at|with)\b))"
)
"""From where the picture is seen."""
DIRECTIONS = (
    r"(?:turn|look|fac|point|mov|go|head|lean|gaz|star|glanc|walk|runn|driv|fly|swimm|rac|sail|travell?|drift|swip|scroll)(?:ing|ed|s|es)"
    r"(?<!\bstars)\s+(?:\w+ly\s+)?(?:(?:(?:to|towards?)\s+the|(?:to|towards?|on)\s+(?:its|his|her|their))\s+)?"
    r"(?:left|right|top|bottom)(?:wards?)?(?!\s+(?:side\s+)?of\b)(?!-)"
)
"""Where something looks or goes: no place of it, as "walking on the left" is."""
_LENGTH = (
    rf"(?:\d[\d.]*|{'|'.join(sorted(NUMBERS))})\s*"
    r"(?:m|cm|km|ft|px|pixels?|met(?:er|re)s?|feet|foot|inch(?:es)?|yards?|blocks?|steps?|paces?|miles?)"
)
IDIOMS = (
    rf"(?:over|under)\s+{_LENGTH}(?=\s+(?:above|over|below|under|to|left|right|away|from|tall|high|long|wide|deep)\b)|"
    r"(?:knock|turn|tip|fall|bend|lean|roll|flip|tumbl)\w*\s+over(?=\s*(?:$|[,.;]))|(?:out|in)side(?=\s*(?:$|[,.;!]))|over\s+(?:easy|time|the\s+(?:shoulder|top))|on\s+top\s+of\s+the\s+world(?!\s+map)|"
    r"far\s+from\s+(?:perfect|ideal|over|done|finished|ordinary|normal|home)(?=\s*(?:$|[,.;]))|"
    r"over\s+(?:dinner|lunch|breakfast|coffee|tea|drinks)(?=\s*(?:$|[,.;]))|"
    r"under\s+(?:construction|attack|repair|water|glass|pressure|control|(?:a\s+|the\s+)?microscope|the\s+milky\s+way)|above\s+all|inside\s+out|upside\s+down|once\s+upon\s+a\s+time|"
    r"(?:from\s+)?(?:the\s+)?"
    r"(?:left\s+to\s+(?:the\s+)?right|right\s+to\s+(?:the\s+)?left|top\s+to\s+(?:the\s+)?bottom|bottom\s+to\s+(?:the\s+)?top|side\s+to\s+side)|"
    r"in\s+(?:(?:a|one|two|three|straight|neat)\s+)*(?:rows?|lines?|queue|pairs)(?!\s+of\b)|"
    r"(?:on\s+(?:the|his|her|their)|(?:(?<=talking\s)|(?<=speaking\s)|(?<=chatting\s)|(?<=talks\s))on\s+a)\s+(?:cell\s+|mobile\s+)?phone|"
    r"(?:(?:knock|typ|chew|gnaw|nibbl|operat|focus|concentrat|shin)(?:ing|e?s|ed)|bites|based"
    r"|(?:bit|work|press|pull|tugg|bang|tapp|spy|try|putt|turn|switch)ing)\s+on(?!\s+top|\s+the\s+(?:left|right)\s*(?:$|[,.;]|side\b|and\b))|"
    r"(?<=,\s)(?:painted|drawn|sketched|printed|projected|engraved|etched|framed|cropped|displayed|shown|viewed)\s+(?:on|in)"
    r"(?!\s+(?:the\s+)?(?:left|right|top|bottom|middle|cent))|"
    r"(?:shot|taken|filmed|captured|photographed|recorded)\s+on(?=\s+(?:an?\s+|my\s+)?(?:[\w-]+\s+){0,2}?"
    r"(?:camera|phone|smartphone|iphone|gopro|drone|tripod|dslr|canon|nikon|leica|kodak|fujifilm|sony|hasselblad|film|polaroid)\b)|"
    r"(?:play|read|writ)(?:ing|e?s)\s+on(?=\s+(?:an?|the|his|her)\s+(?:\w+\s+)?"
    r"(?:guitar|piano|violin|flute|drums?|phone|tablet|computer|laptop|console|board|blackboard|whiteboard|paper|keyboard)\b)|"
    r"(?:fight|argu|quarrel|bicker|rul|cry|cri|look|knock|tipp?|toppl|talk|chat|chatt|laugh|tak)(?:ing|e?s|ed)\s+over|"
    r"(?:interested|engaged|engaging|participating|participates|involved|dressed|clothed|reflected)\s+in|"
    r"under(?=\s+(?:an?|the)\s+(?:spell|siege|curse)\b)|"
    r"(?:focus|emphasis|spotlight)\s+(?:is\s+)?on(?!\s+the\s+(?:left|right)\b)|on\s+a\s+tripod|on\s+a\s+(?:road|business|fishing|camping)\s+trip|"
    r"on\s+(?:his|her|its|their|one|two|four|all)\s+(?:hind\s+|front\s+)?(?:knees|backs?|sides|feet|foot|legs?|belly|stomach|toes|tiptoes|paws|haunches|fours|own)|"
    r"(?:over|under)\s+an?\s+\w+\s+(?:tall|high|long|wide|deep|old)|near\s+(?:future|miss|sunset|sunrise|dawn|dusk|noon|midnight)|(?:above|below)\s+(?:sea\s+level|zero|freezing)|"
    r"(?:(?<=\ba\s)|(?<=\bthe\s))nearby(?=\s+\w)|(?<=\bjack\s)in\s+the\s+box|(?<=\bcorn\s)on\s+the\s+cob|"
    r"(?<=\bpigs\s)in\s+a\s+blanket|(?<=\btoad\s)in\s+the\s+hole|"
    r"(?:larger|bigger|smaller)\s+than\s+(?:life|usual|normal|average)|over\s+and\s+over|all\s+over(?:\s+the\s+place)?"
)
"""Words that spell a relation and say none."""
QUOTED = re.compile('"[^"]*"|\u201c[^\u201d]*\u201d')
"""Text between double quotes."""
MEASURE = re.compile(
    rf"(?<!milky)\s(?:way|well|off|a\s+(?:bit|little|lot|few\s+\w+)|(?:(?:over|under|about|nearly|almost)\s+)?{_LENGTH})\s+$",
    re.IGNORECASE,
)
"""How far: "way above", "a bit to the left of", "2 meters left of"."""
OPENING_MEASURE = re.compile(
    rf"(?:\A|(?<=[.,;:!?])\s|(?<=\band)\s)\s*(?:way|a\s+(?:bit|little)|half\s+a\s+met(?:er|re)|(?:about\s+|nearly\s+)?(?:a\s+few|\d[\d.]*|"
    rf"{'|'.join(sorted(NUMBERS))})\s*(?:m|cm|km|ft|px|pixels?|met(?:er|re)s?|inch(?:es)?|miles?|paces))\s+$",
    re.IGNORECASE,
)
"""Likewise where nothing stands before it, and no thing that could be meant: not "two feet above"."""
