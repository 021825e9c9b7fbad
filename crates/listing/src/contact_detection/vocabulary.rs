//! The words around numbers that say what they are.

/// Words that announce a phone number.
pub(super) const PHONE: &[&str] = &[
    "appelez",
    "anrufen",
    "call",
    "calling",
    "calls",
    "cell",
    "cellphone",
    "cellular",
    "contact",
    "dial",
    "fax",
    "fon",
    "handy",
    "hotline",
    "llamar",
    "llame",
    "mob",
    "mobile",
    "mobil",
    "movil",
    "móvil",
    "natel",
    "ph",
    "phone",
    "phones",
    "ring",
    "sms",
    "tel",
    "telefon",
    "telefono",
    "telegram",
    "telephone",
    "teléfono",
    "téléphone",
    "text",
    "viber",
    "whatsap",
    "whatsapp",
];

/// Signs that announce one.
pub(super) const PHONE_SIGNS: &str = "☎☏✆📞📱📲";

/// Words that call the number right after them an id.
pub(super) const IDENTIFIER: &[&str] = &[
    "account",
    "apn",
    "barcode",
    "booking",
    "case",
    "cin",
    "code",
    "codes",
    "coordinates",
    "docket",
    "ein",
    "file",
    "folio",
    "gps",
    "gst",
    "gstin",
    "iban",
    "id",
    "ids",
    "invoice",
    "isbn",
    "khasra",
    "lat",
    "latitude",
    "licence",
    "license",
    "lng",
    "lon",
    "longitude",
    "mls",
    "order",
    "pan",
    "parcel",
    "permit",
    "pin",
    "pincode",
    "plz",
    "postal",
    "postcode",
    "ref",
    "reference",
    "refno",
    "registration",
    "rera",
    "serial",
    "siren",
    "siret",
    "sku",
    "survey",
    "ticket",
    "tin",
    "uid",
    "uuid",
    "vat",
    "zip",
    "zipcode",
];

/// Words that do so for one unbroken group of digits, unless a phone was mentioned before.
pub(super) const NUMBERED_THING: &[&str] = &[
    "apartment",
    "block",
    "building",
    "flat",
    "house",
    "listing",
    "lot",
    "object",
    "objekt",
    "plot",
    "property",
    "section",
    "sector",
    "unit",
];

/// Words that call the number right after them a sum of money.
pub(super) const MONEY: &[&str] = &[
    "asking", "budget", "cost", "costs", "deposit", "emi", "fee", "fees", "income", "paid", "pay",
    "price", "priced", "prices", "rent", "tax", "taxes", "turnover", "value", "valued", "worth",
];

/// Words for a currency, or for a large number of it, beside a number.
pub(super) const CURRENCY: &[&str] = &[
    "chf", "cr", "crore", "crores", "dollar", "dollars", "eur", "euro", "euros", "francs", "gbp",
    "inr", "lac", "lacs", "lakh", "lakhs", "million", "mio", "mn", "pounds", "rs", "rupees",
    "thousand", "usd",
];

/// Signs of currencies.
pub(super) const CURRENCY_SIGNS: &str = "$€£₹¥₨%";

/// Words after a number that make it a measure or a count.
pub(super) const UNIT: &[&str] = &[
    "acre",
    "acres",
    "am",
    "bath",
    "bathroom",
    "bathrooms",
    "baths",
    "bed",
    "bedroom",
    "bedrooms",
    "beds",
    "bhk",
    "cm",
    "days",
    "feet",
    "floor",
    "floors",
    "ft",
    "ft²",
    "gaj",
    "guests",
    "ha",
    "hectare",
    "hectares",
    "hours",
    "km",
    "kw",
    "kwh",
    "m²",
    "meter",
    "meters",
    "metres",
    "min",
    "minutes",
    "mins",
    "mm",
    "months",
    "people",
    "persons",
    "pm",
    "room",
    "rooms",
    "sf",
    "sq",
    "sqft",
    "sqm",
    "sqyd",
    "square",
    "units",
    "yards",
    "yd",
    "yds",
    "years",
    "m2",
    "ft2",
];

/// Words that may stand between such a word and its number.
pub(super) const FILLER: &[&str] = &[
    "about", "approx", "around", "at", "for", "from", "is", "just", "my", "no", "nr", "num",
    "number", "numbers", "of", "on", "only", "our", "starting", "the", "to",
];

/// Whose number is a phone number.
pub(super) const OWNER: &[&str] = &["direct", "my", "our", "office"];

/// Words for the signs between groups of digits.
pub(super) const SPELLED_SIGN: &[&str] = &["dash", "dot", "hyphen"];

/// The digit that an English word spells.
pub(super) fn spelled_digit(word: &str) -> Option<char> {
    Some(match word {
        "zero" | "oh" | "nought" => '0',
        "one" => '1',
        "two" => '2',
        "three" => '3',
        "four" => '4',
        "five" => '5',
        "six" => '6',
        "seven" => '7',
        "eight" => '8',
        "nine" => '9',
        _ => return None,
    })
}

/// How often a word repeats the digit after it.
pub(super) fn repetition(word: &str) -> Option<usize> {
    match word {
        "double" => Some(2),
        "triple" => Some(3),
        _ => None,
    }
}

/// Words for `@`.
pub(super) const AT: &[&str] = &["arroba", "arobase", "at"];

/// Words for the dot of a domain.
pub(super) const DOT: &[&str] = &["dot", "d0t", "punkt", "punto"];

/// Providers of mailboxes that are known for nothing else: their name says that it is an address.
pub(super) const MAILBOX_PROVIDER: &[&str] = &[
    "gmail",
    "googlemail",
    "hotmail",
    "protonmail",
    "rediffmail",
    "ymail",
];

/// Top-level domains that are no English words.
pub(super) const TLD: &[&str] = &[
    "ae", "app", "au", "biz", "br", "ca", "ch", "cn", "com", "cz", "de", "dev", "dk", "edu", "es",
    "eu", "fi", "fr", "gr", "hr", "hu", "ie", "io", "jp", "li", "lu", "mx", "net", "nl", "nz",
    "org", "pl", "pt", "ro", "ru", "se", "sg", "sk", "tr", "tv", "uk", "za",
];

/// Top-level domains that are words, too, or end sentences.
pub(super) const WORD_TLD: &[&str] = &[
    "agency",
    "at",
    "be",
    "co",
    "email",
    "estate",
    "home",
    "homes",
    "house",
    "in",
    "info",
    "is",
    "it",
    "me",
    "no",
    "online",
    "properties",
    "realty",
    "site",
    "us",
    "xyz",
];

/// Endings of files whose names carry an `@`, as in `plan@2x.png`.
pub(super) const FILE: &[&str] = &[
    "avif", "gif", "html", "jpeg", "jpg", "pdf", "php", "png", "svg", "webp",
];

/// Words that announce an email address.
pub(super) const MAIL: &[&str] = &["email", "emails", "mail", "mails", "mailto", "write", "e"];

/// Words before a bare "at" that are no name, or after it that are no domain.
pub(super) const NOT_IN_ADDRESS: &[&str] = &[
    "a", "all", "an", "any", "each", "every", "her", "him", "it", "me", "our", "that", "the",
    "them", "this", "us", "www", "your",
];
