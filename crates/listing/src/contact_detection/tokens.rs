//! Free text as words, digits and signs, with look-alikes of digits and signs replaced.

use super::vocabulary::PHONE;

/// What a token consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters only.
    Letters,
    /// ASCII digits only.
    Digits,
    /// Letters and digits.
    Mixed,
    /// One character that is neither.
    Sign,
}

/// What stands between a token and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// White space.
    Space,
    /// The end of a line, or of the text.
    Line,
}

/// A word, a number or a sign, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// What stands before it.
    pub(super) gap: Gap,
}

impl Token {
    fn new(kind: Kind, text: impl Into<String>, gap: Gap) -> Self {
        Self {
            kind,
            text: text.into(),
            gap,
        }
    }

    /// Whether it is this sign.
    pub(super) fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign && self.text.starts_with(sign)
    }

    /// Whether it is one of these signs.
    pub(super) fn is_any_sign(&self, signs: &str) -> bool {
        self.kind == Kind::Sign && signs.contains(&self.text)
    }

    /// Whether it consists of letters and is in the list.
    pub(super) fn is_word_of(&self, words: &[&str]) -> bool {
        self.kind == Kind::Letters && words.contains(&self.text.as_str())
    }

    /// Whether it consists of letters, digits or both.
    pub(super) fn is_name(&self) -> bool {
        self.kind != Kind::Sign
    }

    /// Whether it follows the token before it without a gap.
    pub(super) fn is_attached(&self) -> bool {
        self.gap == Gap::None
    }
}

/// The tokens of a text.
pub(super) fn tokenize(text: &str) -> Vec<Token> {
    let text = text.to_lowercase();
    let mut tokens: Vec<Token> = Vec::new();
    let mut gap = Gap::Line;
    for c in text.chars().filter(|c| !is_invisible(*c)).map(plain) {
        if c.is_whitespace() {
            gap = gap.max(if c == '\n' { Gap::Line } else { Gap::Space });
            continue;
        }
        let kind = kind_of(c);
        match tokens.last_mut() {
            Some(last) if gap == Gap::None && kind != Kind::Sign && last.is_name() => {
                last.text.push(c);
                if last.kind != kind {
                    last.kind = Kind::Mixed;
                }
            }
            _ => tokens.push(Token::new(kind, c, gap)),
        }
        gap = Gap::None;
    }
    tokens.into_iter().flat_map(without_disguise).collect()
}

fn kind_of(c: char) -> Kind {
    if c.is_ascii_digit() {
        Kind::Digits
    } else if c.is_alphanumeric() {
        Kind::Letters
    } else {
        Kind::Sign
    }
}

/// Takes `O79l` as the digits it stands for, and `tel079` as a word and digits.
fn without_disguise(token: Token) -> Vec<Token> {
    if token.kind != Kind::Mixed {
        return vec![token];
    }
    let digits = token.text.chars().filter(char::is_ascii_digit).count();
    if digits >= 2
        && token
            .text
            .chars()
            .all(|c| c.is_ascii_digit() || is_like_digit(c))
    {
        let text: String = token.text.chars().map(digit_like).collect();
        return vec![Token::new(Kind::Digits, text, token.gap)];
    }
    let (word, rest) = token
        .text
        .find(|c: char| c.is_ascii_digit())
        .map_or((token.text.as_str(), ""), |at| token.text.split_at(at));
    if PHONE.contains(&word) && rest.chars().all(|c| c.is_ascii_digit()) {
        return vec![
            Token::new(Kind::Letters, word, token.gap),
            Token::new(Kind::Digits, rest, Gap::None),
        ];
    }
    vec![token]
}

const fn is_like_digit(c: char) -> bool {
    matches!(c, 'o' | 'l' | 'i')
}

const fn digit_like(c: char) -> char {
    match c {
        'o' => '0',
        'l' | 'i' => '1',
        other => other,
    }
}

/// Characters that are not seen and could hide a number: joiners, variation selectors, the soft
/// hyphen, and the frame of keycap emoji.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{2064}'
            | '\u{20e3}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

/// The zeros of the decimal digits of other scripts and styles; the other nine follow each.
const ZEROS: &[u32] = &[
    0x0660, 0x06f0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0e50,
    0xff10, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
];

/// The ASCII character that looks like this one, or means the same.
fn plain(c: char) -> char {
    let code = u32::from(c);
    if let Some(digit) = ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|digit| *digit < 10))
    {
        return char::from_digit(digit, 10).unwrap_or(c);
    }
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '\u{ff0e}' | '\u{3002}' | '\u{ff61}' | '\u{2024}' => '.',
        '\u{ff20}' | '\u{fe6b}' => '@',
        '\u{ff0b}' | '\u{fe62}' => '+',
        '\u{ff08}' => '(',
        '\u{ff09}' => ')',
        '\u{ff0f}' | '\u{2044}' => '/',
        '\u{2022}' | '\u{2027}' | '\u{22c5}' => '\u{b7}',
        '\u{2028}' | '\u{2029}' | '\r' => '\n',
        '\u{ff41}'..='\u{ff5a}' => char::from_u32(code - 0xff41 + u32::from('a')).unwrap_or(c),
        other => other,
    }
}
