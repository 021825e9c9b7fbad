//! What counts as contact details and what does not, text by text.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Contacts, contacts_in};

/// Texts with a phone number and no email address.
const PHONES: &[&str] = &[
    // International.
    "+41 79 123 45 67",
    "+41791234567",
    "Reach Ana on +41 (0)79 123 45 67 any time",
    "(+41) 79 123 45 67",
    "+ 41 79 123 45 67",
    "+(91) 98765-43210",
    "+1 (415) 555-0123",
    "+1.415.555.0123",
    "+44 20 7946 0958",
    "+353-87-123-4567",
    "+65 6123 4567",
    "+91-22-2456-7890",
    "Ref. +49 30 1234567",
    "0041 79 123 45 67",
    "0041791234567",
    "00 41 79 123 45 67",
    "00353 87 123 4567",
    // National, with a trunk prefix.
    "079 123 45 67",
    "0791234567",
    "079.123.45.67",
    "079-123-45-67",
    "079/123 45 67",
    "0171/1234567",
    "(030) 1234567",
    "(079) 123-45-67",
    "01 23 45 67 89",
    "020 7946 0958",
    "022-24567890",
    "Sunny flat, 3 rooms, 079 123 45 67, from May",
    "Built in 1998. 079 123 45 67",
    "Bright flat, 0791234567",
    "079 123 45 67 / 044 987 65 43",
    "079 123 45 67 2 rooms left",
    "079 · 123 · 45 · 67",
    "079_123_45_67",
    "079*123*45*67",
    "079. 123. 45. 67",
    "0 7 9 1 2 3 4 5 6 7",
    "0 - 7 - 9 - 1 - 2 - 3 - 4 - 5 - 6 - 7",
    // Without a prefix, by their groups.
    "415-555-0123",
    "(415) 555-0123",
    "415.555.0123",
    "415 555 0123",
    "1-800-555-0199",
    "1800 123 4567",
    "Two beds in 2015 villa, (415) 555-0123 evenings",
    "9876543210",
    "98765 43210",
    "98765-43210",
    "987 654 3210",
    "919876543210",
    "14155550123",
    "612 345 678",
    "79 123 45 67",
    // Announced.
    "Call 555-0123",
    "call me at 5550123",
    "Tel. 6123 4567",
    "Tel.: 6123 4567",
    "Phone:\n5550123",
    "WhatsApp 61234567",
    "my number is 912 34 567",
    "\u{1f4de} 12 34 56 78",
    "61234567 (WhatsApp)",
    "tel0791234567",
    "wa.me/9876543210",
    "Call about this property 9876543210",
    "call for the price 98765 43210",
    "call for viewings, ph no 5550123",
    "contact 98765 43210, 98765 43211",
    // Disguised.
    "zero four one seven nine one two three",
    "Zero-Seven-Nine-One-Two-Three-Four-Five-Six-Seven",
    "zero seven nine, one two three, four five, six seven",
    "oh seven nine 123 four five 67",
    "nine eight double seven six triple five four zero",
    "nine eight double 7 six five four three two one",
    "plus four one seven nine one two three four five six seven",
    "plus 41 79 123 45 67",
    "079 dash 123 dash 45 dash 67",
    "O79 l23 45 67",
    "O791234567",
    "079\u{200b}123\u{200b}45\u{200b}67",
    "\u{ff10}\u{ff17}\u{ff19} \u{ff11}\u{ff12}\u{ff13} \u{ff14}\u{ff15} \u{ff16}\u{ff17}",
    "९८७६५४३२१०",
    "0\u{fe0f}\u{20e3}7\u{fe0f}\u{20e3}9\u{fe0f}\u{20e3}1234567",
    "079\u{2013}123\u{2013}45\u{2013}67",
    "079\u{a0}123\u{a0}45\u{a0}67",
    "\u{1d7ce}\u{1d7d5}\u{1d7d7} 123 45 67",
    "Owner: +91 9876543210 (no brokers)",
    "Mob.9876543210",
    "M: 9876543210 / 9876543211",
    "Ph-9876543210",
    "Phone: 415-555-0123 ext. 12",
    "For details contact Mr Sharma @ 9876543210",
    "2BHK for 85 lakhs, 98765 43210",
    "Price 450000 EUR, tel 030 1234567",
    "Available from 01.05.2026, 079 123 45 67",
    "Viewing Saturday 10:00-12:00. Questions: 079 123 45 67.",
    "my no is nine eight seven six five four three two one zero",
    "text four one five five five five zero one two three",
    "+49 (0) 171 / 1234567",
    "+1-415-555-0123.",
    "+33 6 12 34 56 78",
    "06.12.34.56.78",
    "0611 223344",
    "0800 123 000",
    "00 33 6 12 34 56 78",
    "8 bed 415-555-0123 2 bath",
    "Line one\n+41 79 123 45 67\nLine three",
    "call\t555\t0123",
    "call 555.0123",
    // Ambiguous. It is also a list of units, and then nobody writes "call" before it.
    "call 01 02 03 04 05",
    // Ambiguous. No property costs as much, and no price is written down to the last unit.
    "Price 9876543210",
    // Ambiguous. It could be a price of 625 million; nobody leaves out the currency then.
    "625 500 751",
];

/// Texts with an email address and no phone number.
const EMAILS: &[&str] = &[
    "ana@example.com",
    "ANA@EXAMPLE.COM",
    "Write to ana.smith+flat@mail.example.co.uk.",
    "mailto:ana@example.com",
    "<ana@example.com>",
    "ana_@example.com",
    "o'neil@x.ie",
    "ana@b\u{fc}cher.example",
    "12345@qq.com",
    "ana@example.com.Call after six",
    "ana@sub-domain.example.org",
    "ana @ example.com",
    "ana @example.com",
    "ana@ example.com",
    "ana @ example . com",
    "ana @ example .com",
    "ana@example,com",
    "ana\u{ff20}example\u{ff0e}com",
    "ana@exam\u{ad}ple.com",
    "ana(at)example.com",
    "ana (at) example.com",
    "name (at) example dot com",
    "name[at]example[.]com",
    "name [at] example [dot] com",
    "name{at}example{dot}com",
    "name <at> example <dot> com",
    "name(@)example(.)com",
    "name (a) example.com",
    "name (\u{e4}t) example (punkt) de",
    "name-at-example-dot-com",
    "name_at_example_dot_com",
    "name *at* example *dot* com",
    "name AT example DOT com",
    "name at example dot co dot uk",
    "name arroba example punto es",
    "name arobase example.fr",
    "ana.smith at example.com",
    "ana82 at example.com",
    "email ana at example.com",
    "ana at gmail",
    "ana at gmail.com",
    "ana @ gmail",
    "ana@gmail",
    "ana (at) gmail",
    "ana.smith gmail.com",
    "ana.smith, gmail dot com",
    "ana.smith@example.com,bob@example.com",
    "e-mail: ana @ example.com",
    "ana [ at ] example [ dot ] com",
    "ana ( at ) example ( dot ) com",
    "ana@example(dot)com",
    "ana@example dot com",
    "ana(at)example,com",
    "my email is ana at example.com",
    "contact ana.smith[at]gmail[dot]com",
    // Ambiguous. It may spell a website; the spelling hides it from us either way.
    "details at example dot com",
    // Ambiguous. A handle may contain dots, but rarely ends like a domain of a company.
    "follow @villa.com",
];

/// Texts with neither.
const NEITHER: &[&str] = &[
    "",
    "Bright flat by the lake, 3 rooms, balcony.",
    // Prices.
    "$450,000",
    "CHF 1'250'000",
    "EUR 1.250.000,00",
    "\u{20ac}1.250.000",
    "1 250 000 EUR",
    "1 250 000",
    "Price 1250000",
    "\u{20b9}1,25,00,000",
    "Rs. 12500000/-",
    "Rs 1250000000",
    "12500000 INR",
    "INR 4155550123",
    "4155550123/-",
    "USD 415 555 0123",
    "450000-520000",
    "Price range 1200000-1500000",
    "450000 + 12500000",
    "Rent 2500 plus 300",
    "450 000 000",
    "125.500.000",
    "Price on call: 4500000",
    "1.25 crore, 85 lakhs, 450k, 1.2m",
    "Asking 2,450,000 negotiable",
    "Call for price 12500000",
    "4500000000",
    // Areas, dimensions, counts.
    "1200-1500 sq ft",
    "Call us: 1200-1500 guests a year",
    "1,200 sq ft, 111.5 m\u{b2}",
    "85m2 and 120m\u{b2}",
    "12.50 x 8.25 m",
    "120x240x60 cm",
    "120 \u{d7} 240 \u{d7} 60",
    "Rooms of 12.50 3.75 45.20",
    "3-4-5 bedrooms",
    "3+1 rooms",
    "24/7/365",
    "1234567 m\u{b2} of forest",
    "500-1500 guests",
    "one two three four five six seven eight nine",
    "studio, one, two, three and four bedroom units",
    "three two-bedroom and two one-bedroom flats",
    "3 beds, 2 baths, 1450 sq ft, lot 6534 sq ft, built 1987",
    "Lot size 0.25 acre, HOA $350/mo, taxes $12,450 (2025)",
    "Plot area 2400-3600-4800 sq ft",
    "5 min to the A1, 10 min to the station, 45 min to Zurich (2026 timetable)",
    "Bus 12, tram 4 and 11, 200 m to the lake",
    "Lines 100 200 300",
    "1000 1500 2000",
    "Rent 1'850.- plus 250.- per month",
    "Maintenance Rs 3500 per month, deposit Rs 150000",
    "EMI 45000 for 240 months",
    "ceiling height 2.75 m, plot 25 x 40 m, frontage 12.5 m",
    "From $1,250,000 to $1,450,000",
    "\u{20ac}450.000 - \u{20ac}520.000",
    "4.5% yield, 3.25% interest, 98.5% let",
    "Apartment 1204, Tower 3, Floor 12",
    "Parking 101-102-103",
    "Sold in 2019 for 1250000, in 2024 for 1475000",
    "1,234,567.89",
    "Score 8.5/10 in 2024/2025",
    "Energy class B, 75.3 kWh/m\u{b2}a, EGID 1234567",
    // Years, dates, times.
    "built 1998, renovated 2015",
    "2015 2019 2021",
    "2019-2024",
    "call for the plans of 2015 2019",
    "01.02.2024 - 15.03.2024",
    "01.02.2024 14:00, 02.02.2024 16:30",
    "2024-01-15T14:30:00Z",
    "12/31/2026 and 01/15/2027",
    "01 02 2024 1100",
    "call between 09:00 and 17:00",
    "call 0900-1700",
    "open 09.00-12.00 13.00-17.00",
    "call 09.00 - 17.30",
    "Mon-Fri 0900-1700, Sat 0900-1300",
    "1700000000",
    "Open house 14/06/2026, 14:00 - 16:30",
    "Open 2026-06-14 1400-1630",
    "from 06/2025 to 12/2026",
    "Available 1 May 2026 or 15 June 2026",
    "1st, 2nd and 3rd floor, 1990s building",
    "June 14 2026 10 30",
    // Postal codes, ids, coordinates.
    "8001 Z\u{fc}rich",
    "SW1A 1AA",
    "110001 and 560001",
    "Contact us at Seattle WA 98101-1234",
    "zip codes 90210 90211",
    "PIN 560001 560002",
    "MLS 1234567",
    "MLS# 4155550123",
    "Ref 6123 4567",
    "Ref. 0791234567",
    "Ref no: 0791234567",
    "contact us quoting ref 1234567",
    "#9876543210",
    "APN 123-456-7890",
    "Parcel no. 064-302-13-00",
    "Property 2024001234",
    "RERA registration number 5190001234",
    "ABC-9876543210",
    "9876543210-AB",
    "https://example.com/listing/9876543210",
    "550e8400-e29b-41d4-a716-446655440000",
    "IBAN CH93 0076 2011 6238 5295 7",
    "123-45-6789",
    "0001234567",
    "47.3769, 8.5417",
    "Contact us for the map, 28.6139391",
    "lat 28.6139391 lon 77.2090212",
    "-122.4194155",
    "rooms 0101 0102 0103",
    "units 101 102 103 104",
    "floors 1 2 3 4 5 6 7 8 9",
    "0.123456789",
    // Short numbers that nobody announces.
    "555-0123",
    "6123 4567",
    "12 34 56 78",
    "Building code 2021-2024-001",
    "Permit 2024-001-2345",
    "Cadastral ref 9872023 VH5797S 0001 WX",
    "Title deed no 12/345/6789",
    "LOT 12 DP 1234567",
    "Folio: 01-3126-045-0120",
    "Geo: 19.0760 72.8777",
    "Elevator no. 3, unit 12-34",
    "Toll road 12345678 m from here",
    "Listing id: 20260114123456",
    "order 415-555-0123",
    // Not addresses.
    "3 rooms @ 450 EUR",
    "rent @ 5.5%",
    "open house @ 10.30 am",
    "rent @ approx. ten thousand",
    "3bhk@1.5cr",
    "follow @casa.bella",
    "@lakeside_homes",
    "visit us @ www.example.com",
    "see www.example.com",
    "photos at example.com",
    "listed at realtor.com",
    "email us at example.com",
    "we are at home . It is quiet",
    "Look at the dot in the plan",
    "arrive at meeting point at five",
    "pool (at) rooftop",
    "fast wifi, even for Gmail",
    "at dot com prices",
    "dinner at home, at 7.30 or at 8",
    "at St.Moritz station",
    "2 units @ $1.5m each",
    "(at) the lake",
    "tour at villa.example.com/tour",
    "find us at the corner. In town.",
    "the a.m. train, i.e. at 6.15",
    "www.example.com/contact@2x.png?size=2",
    "located at Park St. in the centre",
    "node.js and asp.net developers live at No.5",
    "at 10.30 in the morning",
    "call now",
    // Ambiguous. It is a French number, too; the units of a house are counted like this.
    "units 01 02 03 04 05",
    // Ambiguous. Groups of digits between commas are a list, or one number with its thousands set
    // apart, before they are a phone number.
    "12, 14, 16, 18, 20, 22",
];

fn wrong(texts: &[&'static str], expected: Contacts) -> Vec<&'static str> {
    texts
        .iter()
        .copied()
        .filter(|text| contacts_in(text) != expected)
        .collect()
}

const NOTHING: Contacts = Contacts {
    phone: false,
    email: false,
};
const PHONE: Contacts = Contacts {
    phone: true,
    email: false,
};
const EMAIL: Contacts = Contacts {
    phone: false,
    email: true,
};

#[test]
fn phone_numbers_are_found() {
    assert_eq!(wrong(PHONES, PHONE), [""; 0]);
}

#[test]
fn email_addresses_are_found() {
    assert_eq!(wrong(EMAILS, EMAIL), [""; 0]);
}

#[test]
fn other_numbers_and_signs_are_not_taken_for_them() {
    assert_eq!(wrong(NEITHER, NOTHING), [""; 0]);
}

#[test]
fn both_are_found_in_one_text() {
    let both = contacts_in("Call 079 123 45 67 or write to ana@example.com");
    assert_eq!(both, PHONE.or(EMAIL));
    assert_eq!(both.to_string(), "a phone number and an email address");
}

/// Read again from every token, some of these would take minutes.
#[test]
fn a_long_text_is_read_once() {
    for part in [
        "0 ", "00 ", "1 000 ", "012 ", "1/ ", "- ", "at-", "at ", "a@", "a.", "a at a.", "one ",
        "double ", "call ", "12.", "1, ", "( ", "_",
    ] {
        contacts_in(&part.repeat(20_000));
        contacts_in(&format!("call {}", part.repeat(20_000)));
    }
}

/// Digits of a number whose groups and prefix are made up around them.
fn any_digits(count: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(select((2..=9).collect::<Vec<u8>>()), count)
        .prop_map(|digits| digits.iter().map(ToString::to_string).collect())
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        contacts_in(&text);
    }

    #[test]
    fn any_mix_of_digits_signs_and_words_is_read(
        parts in prop::collection::vec(select(vec![
            "0", "41", "079", "1234567", "2024", "12", "+", "-", ".", " ", "/", "(", ")", "@", "at",
            "dot", "com", "gmail", "one", "double", "plus", "call", "ref", "\n", ",", "rs", "m2", "#",
        ]), 0..40),
    ) {
        contacts_in(&parts.concat());
        contacts_in(&parts.join(" "));
    }

    #[test]
    fn a_number_with_its_country_is_found_however_it_is_written(
        digits in any_digits(9),
        prefix in select(vec!["+41 ", "+41", "0041 ", "0041", "+41 (0)", "0"]),
        sign in select(vec![" ", "-", ".", "", " - ", "/", "\u{2013}", "\u{a0}"]),
        around in select(vec![("", ""), ("Bright flat, ", ", from May"), ("3 rooms: ", "!")]),
    ) {
        let number = format!(
            "{prefix}{}{sign}{}{sign}{}{sign}{}", &digits[..2], &digits[2..5], &digits[5..7], &digits[7..]
        );
        let text = format!("{}{number}{}", around.0, around.1);
        prop_assert!(contacts_in(&text).phone, "{}", text);
    }

    #[test]
    fn an_address_is_found_however_it_is_written(
        local in "[a-z]{3,10}",
        host in "[a-z]{4,10}",
        at in select(vec!["@", " @ ", "(at)", " (at) ", "[at]", " [at] ", "-at-"]),
        dot in select(vec![".", "(dot)", " (dot) ", "[.]", " dot "]),
        tld in select(vec!["com", "org", "ch", "de", "co.uk", "in"]),
    ) {
        let text = format!("{local}{at}{host}{dot}{tld}");
        prop_assert!(contacts_in(&text).email, "{}", text);
    }

    #[test]
    fn prices_are_no_phone_numbers(
        units in 1_000_u64..999_999_999,
        currency in select(vec!["$", "EUR ", "Rs. ", "\u{20b9}", "CHF "]),
        sign in select(vec![",", ".", "'", " ", ""]),
    ) {
        let digits = units.to_string();
        let grouped: Vec<String> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
            .collect();
        let price = format!("Yours for {currency}{}", grouped.join(sign));
        prop_assert_eq!(contacts_in(&price), NOTHING, "{}", price);
    }

    #[test]
    fn areas_years_and_postal_codes_are_no_phone_numbers(
        (area, year, code) in (10_u32..10_000, 1850_u32..2050, 1_000_u32..999_999),
    ) {
        let text = format!("{area} sq ft, built {year}, {code} Springfield");
        prop_assert_eq!(contacts_in(&text), NOTHING, "{}", text);
    }

    #[test]
    fn dates_and_times_are_no_phone_numbers(
        (day, month, year) in (1_u32..=31, 1_u32..=12, 1950_u32..2100),
        (hour, minute) in (0_u32..24, 0_u32..60),
        sign in select(vec!['.', '/', '-']),
    ) {
        let text = format!(
            "call on {day:02}{sign}{month:02}{sign}{year} {hour:02}:{minute:02} or {year}-{month:02}-{day:02}"
        );
        prop_assert_eq!(contacts_in(&text), NOTHING, "{}", text);
    }
}
