//! Texts as words and nothing else, before PostgreSQL's parser sees them.
//!
//! The parser recognises more than words: `flat/apartment` is the name of a file to it, `room-5`
//! ends in a number below zero, `lake.example` is a host, and none of them is found by its parts.

/// How much of a text is searched, in characters: as much as surely fits into a `tsvector`, which
/// ends at 1 MiB.
const MAX_SEARCHED: usize = 50_000;

/// The words of a text.
pub(super) fn of(text: &str) -> String {
    text.chars()
        .take(MAX_SEARCHED)
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect()
}

/// What somebody typed, with what `websearch_to_tsquery` gives a meaning: quotes, and a minus right
/// before a word or a phrase.
pub(super) fn web_search(typed: &str) -> String {
    let typed: Vec<char> = typed.chars().flat_map(char::to_lowercase).collect();
    let mut query = String::with_capacity(typed.len());
    for (at, &c) in typed.iter().enumerate() {
        let begins = at == 0 || typed[at - 1].is_whitespace();
        let next = typed.get(at + 1);
        let means_something = match c {
            '"' => true,
            '-' => begins && next.is_some_and(|next| next.is_alphanumeric() || *next == '"'),
            c => c.is_alphanumeric(),
        };
        query.push(if means_something { c } else { ' ' });
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_words_is_left() {
        assert_eq!(
            of("Flat/Apartment, ÖSTERREICH!"),
            "flat apartment  österreich "
        );
        assert_eq!(of("room-5\0🏠"), "room 5  ");
        assert_eq!(of(&"x".repeat(100_000)).len(), MAX_SEARCHED);
    }

    #[test]
    fn quotes_and_exclusions_are_kept_where_they_mean_something() {
        for (typed, expected) in [
            (r#""Lake View" -Garden"#, r#""lake view" -garden"#),
            (r#"-"old town""#, r#"-"old town""#),
            ("two-bedroom", "two bedroom"),
            ("--lake - garden-", "  lake   garden "),
            ("flat/house & (a|b)!", "flat house    a b  "),
        ] {
            assert_eq!(web_search(typed), expected, "{typed}");
        }
    }
}
