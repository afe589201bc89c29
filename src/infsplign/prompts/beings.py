"""Words for somebody or an animal. Words that mean a thing as often, such as "crane" and "model", are left out."""

from infsplign.prompts.word_lists import word_set

PERSONS = word_set(
    "knight king queen prince princess pirate ninja samurai clown cowboy astronaut soldier sailor nurse doctor chef waiter teacher "
    "student musician dancer singer painter artist baby babies toddler man men woman women boy boys girl girls kid kids child "
    "children person people lady guy couple crowd player athlete surfer skater runner farmer hunter monk father mother grandmother "
    "grandfather lumberjack businessman businessmen businesswoman fireman firemen firefighter policeman policemen policewoman mailman "
    "milkman plumber electrician carpenter blacksmith baker butcher barber tailor weaver sculptor gardener shepherd cowgirl "
    "gunslinger geisha nun priest bishop pope rabbi imam shaman druid warlock sorcerer sorceress mage necromancer captain cosmonaut "
    "scientist chemist surgeon dentist pharmacist lawyer detective spy thief burglar hacker gamer programmer engineer mechanic "
    "cyclist biker skateboarder skier snowboarder swimmer diver sprinter jogger hiker climber gymnast wrestler fencer archer "
    "fisherman fishermen golfer footballer quarterback goalkeeper referee cheerleader ballerina guitarist drummer pianist violinist "
    "cellist saxophonist trumpeter rapper composer actor actress mime juggler acrobat magician photographer journalist reporter "
    "writer poet novelist librarian professor schoolboy schoolgirl infant newborn teenager adult grandpa grandma granny mom mum dad "
    "son daughter brother sister uncle aunt cousin nephew niece husband wife bride groom twin friend neighbor neighbour stranger "
    "tourist traveler traveller passenger waitress bartender barista butler maid janitor emperor empress duke duchess squire sergeant "
    "viking gladiator spartan caveman superhero superheroine villain sheriff bandit outlaw mayor president senator scarecrow snowman "
    "snowmen human humans gentleman gentlemen"
)
ANIMALS = word_set(
    "dog dogs puppy puppies cat cats kitten kittens bird birds horse horses pony cow cows bull sheep lamb goat pig pigs bear bears "
    "wolf wolves fox foxes lion lions tiger tigers leopard cheetah panther elephant elephants giraffe zebra monkey monkeys ape "
    "gorilla panda koala kangaroo rabbit rabbits bunny hare mouse mice rat hamster squirrel raccoon hedgehog beaver otter deer elk "
    "moose camel llama rhino hippo crocodile alligator lizard snake turtle tortoise frog frogs toad fish shark whale dolphin seal "
    "penguin penguins owl eagle hawk crow raven parrot pigeon duck ducks duckling swan goose geese chicken hen rooster chick peacock "
    "bee bees butterfly spider ant crab octopus animal animals badger skunk weasel ferret stoat porcupine armadillo sloth anteater "
    "platypus wallaby wombat opossum shrew gerbil chinchilla chipmunk marmot reindeer caribou antelope gazelle okapi rhinoceros "
    "hippopotamus mammoth alpaca buffalo bison yak ox oxen ewe boar piglet hog donkey mule foal mare stallion lioness puma cougar "
    "lynx bobcat ocelot coyote jackal dingo hyena chimp chimpanzee orangutan baboon lemur gibbon porpoise orca narwhal beluga walrus "
    "manatee stingray tuna salmon trout carp goldfish catfish eel seahorse squid cuttlefish jellyfish starfish lobster shrimp snail "
    "slug tarantula scorpion wasp hornet mosquito moth dragonfly ladybug ladybird beetle grasshopper mantis cockroach caterpillar "
    "centipede salamander newt axolotl gecko iguana chameleon cobra viper raptor triceratops stegosaurus pterodactyl falcon vulture "
    "condor osprey magpie sparrow finch hummingbird kingfisher woodpecker macaw cockatoo parakeet budgie toucan dove seagull gull "
    "pelican albatross puffin flamingo heron egret stork ibis mallard ostrich emu quail pheasant partridge pup kitty corgi poodle "
    "beagle labrador retriever malamute dachshund chihuahua bulldog pug terrier spaniel collie greyhound dalmatian rottweiler "
    "doberman mastiff butterflies ponies wolves thieves donkeys"
)
MYTHICAL = word_set(
    "dinosaur dragon unicorn robot alien witch wizard mermaid fairy elf angel zombie skeleton monster creature dwarf orc goblin troll "
    "ogre vampire werewolf werewolves ghost demon devil goddess minotaur centaur satyr cyclops kraken yeti bigfoot phoenix griffin "
    "gryphon pegasus elves dwarves fairies mummy cyborg"
)
BEINGS = PERSONS | ANIMALS | MYTHICAL
