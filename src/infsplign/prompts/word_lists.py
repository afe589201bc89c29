"""Closed lists of content words: what things are like, where pictures are, what people and animals do."""


def word_set(words: str) -> frozenset[str]:
    """The words of a text, parted at blanks."""
    return frozenset(words.split())


COLOURS = word_set(
    "black white red green blue yellow orange purple pink brown grey gray golden silver beige violet turquoise teal maroon gold cyan "
    "magenta crimson scarlet indigo tan cream bronze copper lilac lavender"
)
SHADES = word_set(
    "light dark deep pale bright navy sky baby lime olive forest mint rose ruby neon pastel royal midnight ice blood lemon cherry "
    "snow jet coal emerald sea brick mustard wine hunter army powder steel slate canary electric hot burnt apple sage mandarin"
)
"""What a colour may follow as part of its name: "light blue", "olive green"."""
ADJECTIVES = word_set(
    "black white red green blue yellow orange purple pink brown grey gray golden silver beige violet turquoise teal maroon colorful "
    "colourful dark bright pale shiny big small large little tiny huge giant tall short long wide narrow thick thin old young new "
    "ancient modern antique vintage round square rectangular triangular oval circular spherical wooden metal metallic plastic leather "
    "rubber fluffy furry fuzzy striped spotted smooth rough soft hard cute beautiful pretty ugly happy sad angry dirty clean empty "
    "full broken visible upside-down plain solid"
)
"""Words that say what an object is like: they never end its name. "A black and white cat" is one object; any other "and" joins two."""
THINGS_THEMSELVES = word_set("square oval orange violet lavender lilac gold silver bronze copper cream antique light metal plastic giant")
"""Adjectives that are names of things too: a comma after them ends the name, unless another adjective follows."""
SETTINGS = word_set(
    "background foreground distance style manner front back air sky water sea ocean lake river beach sand desert park garden forest "
    "woods jungle field meadow grass lawn hill mountains valley landscape snow rain fog wind sun sunlight sunset sunrise light shadow "
    "shade dark night day morning evening afternoon summer winter spring autumn street road city town village world universe space "
    "studio room kitchen bedroom bathroom office museum restaurant wall walls floor ground ceiling scene image picture photo painting "
    "drawing savanna savannah moon mars cave horizon storm heaven cloud clouds stars moonlight starlight clearing countryside coast "
    "shore seaside pond stream swamp tundra canyon cliff prairie woodland rainforest highway alley plaza playground underwater ruins "
    "battlefield arena colors colours tones dusk dawn twilight noon midnight weather breeze darkness mist haze smoke dust mud ice "
    "planet galaxy cosmos void outdoors driveway sidewalk pavement backyard yard lot patio balcony terrace "
    "thunderstorm blizzard snowstorm rainstorm sandstorm downpour wild wilderness alps streets farm farmland court track racetrack shadows "
    "riverbank mountaintop hilltop hillside stage rooftop greenhouse tunnel island surface bank"
)
"""After "in" and "on" these are where the picture is, not an object in it; "a cat on a beach" asks for no relation."""
FRAMES = word_set(
    "style styles styling look lighting illumination background backdrop atmosphere ambience mood vibe setting settings environment "
    "composition shot format palette perspective aesthetic film movie video cartoon conditions weather tones colors colours surface "
    "orientation panels ages age era period future past century game tale fifties sixties seventies eighties nineties twenties thirties"
)
"""Last words of what says how or when a picture is made, after "in", "on" and "under": "in a Pixar style", "under soft lighting"."""
UNLIT = word_set("light lights lighting backlight sunlight bokeh shadow shadows space composition camera")
"""What has a place in a picture and is no thing, unless an article says so: "rim light on the left", "copy space on the right"."""
INDOORS = word_set(
    "library cafe bar classroom hallway corridor basement attic garage shop store supermarket station airport stadium gym church "
    "temple castle house home hotel hospital school market farm barn factory laboratory theater theatre building apartment mansion "
    "palace"
)
"""Settings after "in" and "inside"; after "on" they are objects."""
WORN = word_set(
    "dress suit hat coat shirt t-shirt jacket uniform armor armour costume gown skirt jeans pants shorts hoodie sweater robe cloak "
    "cape scarf boots shoes socks gloves glasses sunglasses mask helmet crown outfit clothes clothing attire kimono bikini swimsuit "
    "raincoat overcoat sweatshirt blouse cardigan vest poncho tuxedo leggings sandals heels sneakers beanie beret hood veil turban "
    "jersey bandana headband wristband bracelet monocle visor earmuffs mittens stockings leotard overalls lipstick badge "
    "headscarf tracksuit wetsuit spacesuit tunic toga sari hijab goggles headphones necklace earrings "
    "tie bowtie cap apron pajamas hair eyes beard mustache moustache wings tail ears horns legs arms face smile freckles tattoos "
    "braids ponytail fur stripes spots feathers teeth"
)
"""What "in" and "with" lead to that is part of the thing before them: "a man in a suit", "a cat with blue eyes"."""
BODY = word_set("head heads face faces shoulder shoulders mouth beak hand hands neck lap arm arms nose chest finger wrist back")
"""On "its head" a thing wears what is part of it."""
PARTS_OF_ITS_OWN = BODY | word_set("eyes eye tail ears wings legs hair fur tongue teeth beard paws claws feathers")
OWN = word_set(
    "roof handle handles lid spout wheels wheel doors windows branches petals thorns stem leaves sleeves straps laces buttons pages "
    "strings drawers armrests backrest cushions sheets chimney antlers beak fins claws mane trunk tusks tentacles collar label logo"
)
"""What "with" leads to that is part of the thing before it: "a house with a red roof"."""
SKY = word_set(
    "sea ocean sky skies stars sun sunlight moon moonlight starlight clouds rain rainbow lights light sunset sunrise canopy "
    "weather storm water snow snowfall candlelight aurora lamplight"
)
"""Under and beneath these a thing stands in the open; they are no objects that it is below."""
ABSTRACT = word_set(
    "hurry mood dream rage mission vacation honeymoon tour diet break sale influence arrest law average minute hour weekend week month "
    "year century decade age death trance panic coma fight war race contest competition holiday trip journey adventure quest hike jog "
    "stroll rampage cycle leash run hunt picnic hug embrace marathon "
    "pose stance position posture fashion budget deadline pressure stress spell siege curse attack walk "
    "pain motion"
)
"""What is no thing, so that nothing is in, on, under or over it: "a woman in a hurry"."""
VIEWERS = word_set("camera viewer lens observer")
"""Near "the camera" a thing is near whoever looks at the picture."""
GROUND = word_set("ground horizon floor water clouds background backdrop")
"""Likewise what something is above when it is in the air."""
NUMBERS = word_set(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty "
    "thirty forty fifty hundred thousand dozen several many few multiple numerous countless various"
)
VAGUE = word_set("several many few multiple numerous countless various")
GROUPS = VAGUE | word_set("dozen hundred thousand")
"""Numerals that follow "a" themselves."""
QUANTITIES = word_set("couple lot lots number dozens hundreds plenty kind kinds type types sort sorts")
""""a couple of dogs" are dogs."""
PEOPLE = word_set(
    "man woman men women girl boy girls boys kid kids child children person people artist painter student lady guy worker workers"
)
PLURALS = word_set("people men women children mice geese sheep fish teeth feet wolves knives leaves deer police cattle")
SINGULAR = word_set(
    "glasses sunglasses scissors pants jeans shorts trousers lens canvas christmas tennis atlas chess series news binoculars headphones"
)
THINGS = word_set(
    "building painting drawing crossing clothing carving wedding covering railing lightning topping icing filling lining wing ring "
    "string king swing spring sling ceiling pudding earring bedding landing dressing dumpling duckling thing being evening morning "
    "coating housing stocking dwelling"
)
"""Words that end in "ing" and name things also after a noun: "office building"."""
FITTINGS = word_set(
    "bunting siding molding moulding scaffolding shelving netting plating decking seating roofing paving lettering flooring packaging "
    "marking tubing piping wiring etching engraving wrapping"
)
"""Likewise, but after a living being what it does: "party bunting"."""
ACTIONS = word_set(
    "bark meow bite blink blow bounce bow break breathe build burn buzz carry carve charge chase chat cheer chew climb cook cough "
    "crash crawl croak crouch cry cuddle curl cut dance dig dive drag draw dream drift drink drive drown eat embrace explode fall "
    "feed fetch fight float flow fly frown gallop gaze giggle glide glow grab graze greet grin growl grow grumble hang hatch hide "
    "hike hit hold hop hover howl hug hunt itch jog juggle jump kick kiss kneel knit laugh lean leap lick lift limp listen look "
    "lounge march meditate melt mourn move nap nod observe paddle paint pant peek perch play point poke pose pounce pour pray prowl "
    "pull purr push read relax ride rise roar roll run sail scratch scream screech shake shine shiver shoot shout sing sink sip sit "
    "skate ski sleep slide smell smile smoke snarl sneeze sniff snore snuggle soar speak spin splash sprint squat stand stare steal "
    "stomp stretch stroll strut study surf swim swing talk taste tease think throw catch tickle tiptoe touch trot tumble twirl wag "
    "wait wake walk wander wash watch wave weep whisper whistle wink work wrestle write yawn yell lie rest turn wear give take make "
    "get have do go come see say want like need love seek keep set lay land clap"
)
"""What people, animals and things do, in its base form."""


def _third(verb: str) -> str:
    """The form of a verb after "it": "barks", "watches", "flies"."""
    if verb.endswith("y") and verb[-2] not in "aeou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else f"{verb}s"


VERBS = ACTIONS | {_third(verb) for verb in ACTIONS} | {"has", "meowing"}
"""Forms of verbs; many are nouns too."""
THINGS_TOO = word_set(
    "watches waves rolls drinks lifts paints cuts bows slides swings cooks rides flies plays runs floats prints reads burns bites "
    "kisses lands dives lays sets brushes works cries rests stands smokes drifts shoots likes loves makes takes needs hits kicks "
    "touches washes catches breaks studies"
)
"""Forms of verbs that often name things after a noun: "wrist watches". After a living being they are verbs."""
BELONGINGS = word_set(
    "ears paws tails eyes horns toys treats beds bowls bones tags collars prints shoes boots suits masks costumes statues houses "
    "wings legs feet heads faces noses hands arms fingers cages tanks stables ponds nests eggs dolls figurines photos pictures "
    "paintings drawings posters cards stickers plates cups mugs hats shirts sculptures portraits shapes tracks lovers owners bites"
)
"""What "dog ears" and "cat toys" end with, although "ear" and "toy" are verbs as well."""
NATIONS = word_set(
    "american european african asian australian english british scottish irish welsh french german italian spanish portuguese greek dutch "
    "belgian swiss austrian swedish norwegian finnish danish icelandic russian ukrainian hungarian czech romanian turkish persian iranian "
    "arabian egyptian moroccan ethiopian nigerian indian pakistani chinese japanese korean thai vietnamese tibetan mongolian indonesian "
    "mexican brazilian peruvian cuban canadian hawaiian siberian victorian georgian edwardian roman celtic nordic scandinavian himalayan"
)
"""Adjectives that the lexicon does not have, since they are written with a capital."""
FIXED = {
    "salt": "and pepper",
    "mac": "and cheese",
    "ham": "and cheese",
    "bacon": "and egg",
    "fish": "and chips",
    "butter": "and jelly",
    "bow": "and arrow",
    "mortar": "and pestle",
    "hammer": "and sickle",
    "ball": "and chain",
    "skull": "and crossbones",
    "rock": "and roll",
    "bed": "and breakfast",
    "gin": "and tonic",
    "jack": "in the box",
    "pigs": "in a blanket",
    "corn": "on the cob",
    "toad": "in the hole",
    "rice": "and beans",
    "spaghetti": "and meatballs",
    "state": "of the art",
    "hen": "of the woods",
    "lily": "of the valley",
}
"""What follows a word in the name of one thing: "a bow and arrow", "a jack in the box"."""
HELD = frozenset(
    (
        *("full of", "filled with", "covered with", "covered in", "topped with", "decorated with", "loaded with", "stuffed with"),
        *("packed with", "made of", "made from"),
    )
)
"""What leads from a thing to what it holds or is made of: no object by itself."""
RESTS = word_set("is sits stands lies rests hangs floats hovers")
STANDS = RESTS | word_set(
    "sleeps waits walks runs swims flies jumps kneels poses leans leaps crawls squats perches hides dances soars glides rises"
)
"""After a name and what it holds these have the name as their subject: "a boy holding a cup stands"."""
PAST = word_set("lay fell stuck hung held kept lost bent torn worn shut lit tied")
"""Nouns as well by the lexicon, and participles after a noun."""
MODALS = word_set("can will must")
"""Verbs before another verb, and nouns as well."""
DEGREES = word_set("more most less least really rather off-center off-centre")
HOURS = word_set(
    "outdoors indoors outside inside underwater night nighttime daytime sunset sunrise dusk dawn twilight midnight winter summer "
    "autumn spring today tonight tomorrow yesterday"
)
"""When or where, and no part of a name that they end."""
WHERE = word_set(
    "beach forest city street desert jungle ocean sea meadow field kitchen bedroom bathroom snow rain fog landscape village town sky woods"
)
"""After another noun these may be the place of the picture: "a dog beach"."""
COMPOUND = word_set(
    "covered shaped lined filled coated topped dipped themed colored coloured powered made based inspired sized tipped studded "
    "wrapped clad free flavored flavoured scented style printed patterned"
)
"""Participles that follow a noun inside a name: "snow covered mountain"."""
INANIMATE = word_set(
    "oak pine walnut mahogany teak wood log bamboo wicker rattan steel iron metal copper brass silver gold bronze tin aluminum aluminium "
    "chrome glass crystal ceramic porcelain clay stone marble granite concrete brick leather rubber plastic vinyl foam cotton wool linen "
    "silk velvet denim fabric paper cardboard straw toy fire meat grass hair nail salmon trout fly coffee tea wine beer milk cheese bread "
    "rice honey cigar cigarette pipe piano guitar violin flute drum saxophone trumpet banjo accordion cello harp harmonica sword gun book "
    "newspaper umbrella hat skateboard surfboard bike bicycle banana carrot potato vegetable fruit flower garden kitchen office coin "
    "ice time record chess card snow roller scuba space rope rock"
)
"""These do nothing themselves: "an oak dining table", "a guitar playing frog"; but "a robot playing guitar"."""
MASS = word_set("food water coffee tea beer wine milk soup breakfast lunch dinner music text light smoke steam wood fruit power heat")
"""What "a fire giving light" gives: not counted, so that no article is missing."""
CALLED = word_set("named called titled entitled labelled labeled marked tagged signed nicknamed dubbed inscribed")
"""After these a name follows, and no thing: "a man named John", "a bottle labelled wine"."""
MADE = word_set("made built bound lit cut held bought fed spun swept torn worn burnt struck knit")
"""Participles of "hand made", "leather bound"."""
MAKERS = word_set("hand home machine store")
"""How or where a thing was made, before a participle and adjectives: "a hand carved wooden bowl"."""
STRESSED = {
    "brand": "new",
    "ice": "cold",
    "century": "modern",
    "crystal": "clear",
    "pitch": "black",
    "razor": "sharp",
    "world": "famous",
    "life": "size",
}
"""A noun that an adjective may have before it: "a brand new car"."""
TITLES = word_set("mr mrs ms mx dr st prof")
"""Before a name: "Dr. Strange"."""
AGES = word_set("year years month months week weeks")
"""Before "old": "a 10 year old boy"."""
SIZES = word_set("foot feet inch inches meter meters metre metres mile miles yard yards cm m")
"""Before "tall", "long": "a ten foot tall robot"."""
TOPPED = word_set("mountain hill roof tree table tank crop desk cliff stove counter house carrot")
"""What has a top by name: "a table top"."""
PARTS = word_set("underside middle center centre corner edge half side front back part left right rear end")
UNLISTED = word_set(
    "airfryer archway armoire axolotl backsplash baguette ballista bar barstool batman bauble bbq beanie beret birdhouse bonsai "
    "bookcase bookshop boombox bunny burger burgers cappuccino capybara cd charizard chihuahua chime chimes cooktop cop cops corgi "
    "countertop cpu credenza crepes crocs cyborg dam dams doggo doggos dragonfruit drapes dvd earbuds elsa emoji fedora ferrari "
    "firepit flipflops floe floes fridge fridges frisbee gameboy gamepad gazebo gelato golem gpu grille guacamole harmonica hatchback "
    "hijab hobbit hoodie hotdog hoverboard icicle igloo inks ipad ipads iphone iphones jetski jumpsuit katana kebab kelp kimono kitty "
    "labrador lamborghini lampshade lcd lego litterbox log logs loveseat lunchbox macaron macbook maracas mech meerkat minaret mobile "
    "mole moles narwhal nightstand nintendo nunchucks oils onesie orca ottoman ox pan pans parka parkas pc pergola pikachu pinata "
    "playstation plushie pokemon popsicle processor puppers quesadilla ramen remote rollerblades rubik rudolph santa sconce seaplane "
    "segway selfie shrek shuriken skatepark skillet smartphone smoothie soaps sombrero spiderman stegosaurus stereo streetlight suv "
    "tambourine tankard teddy terrier terriers tin tins top tophat tops tote trebuchet treehouse triceratops trunk trunks tshirt tuktuk tv "
    "tvs ufo ufos ukulele usb velociraptor vet vets vhs walkman webcam xbox yoda yoyo yurt zeppelin"
)
"""Things that the lexicon does not know as nouns."""
