"""Templates of sentences, and the values of their slots.

A slot is written `{noun}`; `#` stands for a digit, `%` for a check digit.
"""

NOUN = """
budget garden recipe engine contract lecture pipeline kitchen battery library essay campaign server holiday keyboard
camera bicycle festival database meadow violin telescope invoice harbour tunnel blanket laptop mortgage journal lantern
compass orchard greenhouse playlist spreadsheet warehouse curriculum newsletter roadmap prototype sculpture novel sonata
portrait workshop seminar glacier volcano river island forest desert canyon lighthouse castle bridge station airport
railway market bakery pharmacy clinic hospital museum gallery theatre stadium gymnasium office factory laboratory farm
vineyard brewery printer scanner router monitor speaker microphone tripod backpack suitcase umbrella jacket sweater boot
carpet curtain lamp sofa wardrobe mattress pillow oven kettle toaster blender freezer dishwasher ladder hammer drill
paintbrush screwdriver wrench tractor trailer scooter caravan yacht canoe kayak helmet saddle leash aquarium terrarium
puzzle chessboard calendar notebook envelope parcel receipt warranty licence visa timetable itinerary brochure manual
glossary dictionary thesaurus encyclopedia atlas globe thermometer barometer sundial metronome piano guitar trumpet
""".split()

ADJECTIVE = """
quiet rapid gentle sturdy fragile modern ancient bright narrow shallow modest generous careful curious patient honest
clumsy elegant rustic tidy noisy humid frozen golden silver wooden plastic ceramic digital manual seasonal regional
local foreign domestic annual weekly daily hourly early late sudden gradual steady uneven smooth rough dense sparse
heavy light compact spacious portable durable flexible rigid hollow solid liquid crisp tender bitter sweet spicy mild
""".split()

VERB = """
repair plan compare arrange measure describe organise improve replace design clean sell rent paint move test schedule
document inspect insure assemble store ship label decorate photograph restore protect monitor upgrade configure install
calibrate maintain estimate classify translate summarise outline review collect donate recycle borrow inherit auction
""".split()

MANNER = """
quickly slowly safely cheaply properly carefully quietly together alone outdoors indoors overnight regularly gradually
step-by-step beforehand afterwards in-advance by-hand from-scratch
""".split()

FIRST = """
Anna Boris Clara David Elena Felix Greta Hanno Irene Jonas Karla Lukas Marta Nils Olga Paul Rosa Simon Tilda Viktor
""".split()

LAST = """
Adler Brandt Castell Dorn Ehlers Falk Gerber Hauser Iversen Jansen Keller Lorenz Moreau Novak Olsen Petrov Quist Rossi
""".split()

PLACE = """
Avonlea Brindle Calder Dunmore Eastwick Farrow Glenby Harwood Inverley Jarrow Kelby Larkton Melford Norwick Oakham
""".split()

MODELS = ("swift-2", "swift-2-mini", "heron-1")

QUESTIONS = (
    "Could you explain how I can {verb} a {adjective} {noun} {manner}, given that the {noun} is rather {adjective}?",
    "What is the best way to {verb} the {noun} in our {adjective} {noun} before the {noun} arrives?",
    "I want to {verb} my {adjective} {noun} and {verb} the {noun} as well, ideally {manner}.",
    "My {noun} has become {adjective} since we tried to {verb} the {adjective} {noun} last month.",
    "How would somebody in {place} {verb} a {noun} when there is only a {adjective} {noun} around?",
    "Which {adjective} {noun} would you take to {verb} a {noun} that should stay {adjective}?",
    "We have a {noun}, a {adjective} {noun} and two people who can {verb} {manner}.",
    "Also tell me whether a {noun} next to the {adjective} {noun} makes it harder to {verb} anything.",
    "Then write a few lines about the {adjective} {noun} that a {noun} would {verb}.",
    "Is it a problem if the {noun} stays {adjective} while I {verb} the other {noun}?",
    "The {noun} from {place} looks {adjective}, but we still want to {verb} it {manner}.",
    "Imagine a {adjective} {noun} in {place}; who would {verb} it and with which {noun}?",
)

STATEMENTS = (
    "To {verb} a {adjective} {noun}, begin with the {noun} and work towards the {adjective} side of it {manner}.",
    "Most people {verb} the {noun} first, because a {adjective} {noun} is hard to {verb} later.",
    "A {noun} that is {adjective} enough will {verb} almost any {noun}, although a {adjective} one lasts longer.",
    "If the {noun} turns {adjective}, {verb} it {manner} and leave the {adjective} {noun} alone for a while.",
    "There are several reasons for this: the {noun} is {adjective}, and the {noun} has to {verb} more than it should.",
    "In {place} they {verb} the {noun} {manner}, which keeps every {adjective} {noun} in good order.",
    "You could also {verb} the {adjective} {noun} with a {noun}, as long as both of them are {adjective}.",
    "Keep in mind that a {adjective} {noun} needs somebody to {verb} it {manner}, ideally before the {noun} opens.",
    "Once the {noun} and the {noun} fit together, the {adjective} part can {verb} itself.",
    "Another option is a {adjective} {noun}, which many prefer when they {verb} a {noun} {manner}.",
    "The {noun} should never {verb} a {adjective} {noun}, however {adjective} the {noun} may look from outside.",
    "Let me know which {noun} you have, and I will {verb} a {adjective} plan around it {manner}.",
    "That is the catch — a {adjective} {noun} doesn’t {verb} itself, and “{adjective}” is no {noun} either.",
    "Finally, {verb} the {noun} once more and check that the {adjective} {noun} has not moved.",
)

#: Sentences with numbers and signs that are not personal data.
FACTS = (
    "It takes about ## minutes and ### grams of {noun}.",
    "Between 19## and 20## the {adjective} {noun} cost $#,### in {place}.",
    "The {noun} of the years 201#-201# had #.# million visitors.",
    "See version #.#.# of the {noun}, section #.",
    "Set timeout = ## and retries: # in the file of the {noun}.",
    "It was born as a {adjective} {noun} in 18##.",
    "Roughly ##% of all {adjective} ones weigh #,### kg.",
    "This is Harbour Street ## by the {noun}, built in 19##.",
    "The ratio is #:# at ## degrees, or #.## with a {adjective} {noun}.",
    "Order ########## has # items: a {noun} and a {noun}.",
)

#: Sentences with personal data.
DETAILS = (
    "You can write to {first}.{last}##@{noun}mail.com about it.",
    "My name is {first} {last} and I live in {place}.",
    "Call me at +49 30 9## ## ## or (555) 2##-####.",
    "The page is https://www.{noun}-{noun}.org/{adjective}/{noun}?user={last}##&id=####.",
    "The card 4### #### #### ###% does not work.",
    "Use the password: {noun}!##{adjective} for the account.",
    "The key is sk-{noun}4f9b2c7d1e8a6f3b5c0d{last}## for now.",
    "The server at 8#.1##.2#.7# is down.",
    "Send it to ## {last} Street, {place}, OX# #AB.",
    "Kind regards,\n{first} {last}",
)

#: Users' sentences about the reply before.
JUDGEMENTS = (
    "Thank you so much, that helps a lot.",
    "Thanks!",
    "Perfect, exactly what I needed.",
    "That's wrong.",
    "No, I meant the other one.",
    "You didn't answer my question.",
    "This doesn't work.",
    "That's not what I asked for.",
    "I don't understand.",
    "What do you mean?",
    "Can you make it shorter?",
    "Please rewrite it in a more formal tone.",
    "Are you sure about that?",
    "You're making this up.",
    "Great explanation, thanks.",
    "Now translate it into French.",
)
