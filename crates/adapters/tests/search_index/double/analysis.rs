//! As much of the English analyzer as the suite needs: words, possessives, stop words, plurals.

/// Lucene's stop words of English.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// A word and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) position: usize,
    pub(super) term: String,
}

pub(super) fn english(text: &str) -> Vec<Token> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
        .enumerate()
        .map(|(position, word)| (position, word.strip_suffix("'s").unwrap_or(word)))
        .filter(|(_, word)| !STOP_WORDS.contains(word))
        .map(|(position, word)| Token {
            position,
            term: stem(word).to_owned(),
        })
        .collect()
}

fn stem(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if word.len() > 3 && !stem.ends_with('s') => stem,
        _ => word,
    }
}
