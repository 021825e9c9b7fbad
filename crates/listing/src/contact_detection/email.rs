//! Email addresses among tokens.

use super::tokens::{Kind, Token};
use super::vocabulary::{AT, DOT, FILE, MAIL, MAILBOX_PROVIDER, NOT_IN_ADDRESS, TLD, WORD_TLD};

/// How many words back a word such as "email" announces an address.
const ANNOUNCED_WITHIN: usize = 5;
/// How many tokens of a domain are read; nobody writes longer ones for people.
const LONGEST_DOMAIN: usize = 64;

/// How `@` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// `name@domain`.
    Plain,
    /// With a gap beside it, as in `name @ domain`; also how prices and handles are written.
    Spaced,
    /// `(at)`, `[at]`, `_at_`, "arroba": nobody writes that for anything else.
    Disguised,
    /// The word "at".
    Word,
}

/// How a dot of the domain is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dot {
    /// A dot without gaps.
    Plain,
    /// A dot with a gap before it.
    Spaced,
    /// `(dot)`, `[.]`, "dot".
    Disguised,
}

/// Whether there is an email address.
pub(super) fn is_in(tokens: &[Token]) -> bool {
    (0..tokens.len()).any(|i| {
        is_mailbox_domain(tokens, i)
            || at_sign(tokens, i).is_some_and(|(at, next)| is_address(tokens, i, at, next))
    })
}

/// `gmail.com` is never a place to look at a listing, so it is the rest of an address.
fn is_mailbox_domain(tokens: &[Token], i: usize) -> bool {
    let after_dot = || dot(tokens, i + 1).and_then(|(_, next)| tokens.get(next));
    tokens[i].is_word_of(MAILBOX_PROVIDER) && after_dot().is_some_and(|tld| is_known_tld(tld, true))
}

/// The `@` that begins here, and what follows it.
fn at_sign(tokens: &[Token], i: usize) -> Option<(At, usize)> {
    let token = &tokens[i];
    let next_is_attached = tokens.get(i + 1).is_some_and(Token::is_attached);
    if token.is_sign('@') {
        let is_plain = token.is_attached() && next_is_attached;
        return Some((if is_plain { At::Plain } else { At::Spaced }, i + 1));
    }
    if token.is_word_of(&["arroba", "arobase"]) {
        return Some((At::Disguised, i + 1));
    }
    if token.is_word_of(&["at"]) {
        return Some((At::Word, i + 1));
    }
    bracketed(tokens, i, |inner| {
        inner.is_word_of(AT) || inner.is_word_of(&["a", "ät"]) || inner.is_sign('@')
    })
    .map(|next| (At::Disguised, next))
}

/// The dot of a domain that begins here, and what follows it.
fn dot(tokens: &[Token], i: usize) -> Option<(Dot, usize)> {
    let token = tokens.get(i)?;
    if token.is_any_sign(".,") {
        let next = tokens.get(i + 1)?;
        return match (token.is_attached(), next.is_attached()) {
            (true, true) => Some((Dot::Plain, i + 1)),
            (false, _) if token.is_sign('.') => Some((Dot::Spaced, i + 1)),
            // A gap only after it ends a sentence.
            _ => None,
        };
    }
    if DOT.contains(&token.text.as_str()) {
        return Some((Dot::Disguised, i + 1));
    }
    bracketed(tokens, i, |inner| {
        DOT.contains(&inner.text.as_str()) || inner.is_sign('.')
    })
    .map(|next| (Dot::Disguised, next))
}

/// What follows a token in brackets, or between two dashes, underscores or asterisks.
fn bracketed(tokens: &[Token], i: usize, is_inner: impl Fn(&Token) -> bool) -> Option<usize> {
    let [open, inner, close] = tokens.get(i..i + 3)? else {
        return None;
    };
    let closing = match open.text.as_str() {
        "(" => ")",
        "[" => "]",
        "{" => "}",
        "<" => ">",
        "-" => "-",
        "_" => "_",
        "*" => "*",
        _ => return None,
    };
    (close.text == closing && is_inner(inner)).then_some(i + 3)
}

fn is_address(tokens: &[Token], i: usize, at: At, next: usize) -> bool {
    let Some(local) = i.checked_sub(1).and_then(|before| tokens.get(before)) else {
        return false;
    };
    let is_local = local.is_name() || (at == At::Plain && local.is_any_sign("._-+"));
    is_local
        && match at {
            At::Plain => names_provider(tokens, next) || domain(tokens, next, true).is_some(),
            At::Spaced => {
                local.kind != Kind::Digits
                    && (names_provider(tokens, next) || domain(tokens, next, false).is_some())
            }
            At::Disguised => names_provider(tokens, next) || domain(tokens, next, false).is_some(),
            At::Word => is_spoken_address(tokens, i, local, next),
        }
}

/// A bare "at" also says where something is: it takes more to make an address of it.
fn is_spoken_address(tokens: &[Token], i: usize, local: &Token, next: usize) -> bool {
    if local.is_word_of(NOT_IN_ADDRESS) {
        return false;
    }
    if names_provider(tokens, next) {
        return true;
    }
    domain(tokens, next, false).is_some_and(|loosest| {
        loosest == Dot::Disguised
            || (loosest == Dot::Plain
                && (is_like_login(tokens, i - 1) || is_announced(tokens, i - 1)))
    })
}

fn names_provider(tokens: &[Token], i: usize) -> bool {
    tokens
        .get(i)
        .is_some_and(|token| token.is_word_of(MAILBOX_PROVIDER))
}

/// `ana.smith`, `ana_smith` or `ana82`: how people are called in addresses and nowhere else.
fn is_like_login(tokens: &[Token], i: usize) -> bool {
    let token = &tokens[i];
    let joined = i >= 2
        && token.is_attached()
        && tokens[i - 1].is_any_sign("._")
        && tokens[i - 1].is_attached()
        && tokens[i - 2].is_name();
    let letters = token.text.chars().take_while(|c| c.is_alphabetic()).count();
    joined || (token.kind == Kind::Mixed && letters >= 3)
}

fn is_announced(tokens: &[Token], i: usize) -> bool {
    tokens[i.saturating_sub(ANNOUNCED_WITHIN)..i]
        .iter()
        .any(|token| token.is_word_of(MAIL))
}

/// How the loosest dot of the domain that begins here is written, if there is a domain.
///
/// Where everything is written without gaps, any word can be the top level; else it must be known.
fn domain(tokens: &[Token], start: usize, any_tld: bool) -> Option<Dot> {
    // So that a long text cannot be read again and again from every `@` of it.
    let tokens = &tokens[..tokens.len().min(start + LONGEST_DOMAIN)];
    if tokens.get(start)?.is_word_of(NOT_IN_ADDRESS) {
        return None;
    }
    let mut loosest = Dot::Plain;
    let mut next = label(tokens, start)?;
    while let Some((dot, after)) = dot(tokens, next) {
        loosest = loosest.max(dot);
        let tld = tokens.get(after)?;
        let is_comma = tokens[next].is_sign(',');
        let is_any = any_tld && dot == Dot::Plain && !is_comma;
        if is_any && is_any_tld(tld) {
            return Some(loosest);
        }
        if is_known_tld(tld, dot != Dot::Spaced && !is_comma) {
            return Some(loosest);
        }
        next = label(tokens, after)?;
    }
    None
}

/// What follows the label of a domain that begins here.
fn label(tokens: &[Token], start: usize) -> Option<usize> {
    let mut next = start;
    loop {
        if !tokens.get(next)?.is_name() {
            return None;
        }
        next += 1;
        let goes_on = matches!(
            tokens.get(next..next + 2),
            Some([dash, name]) if dash.is_sign('-') && dash.is_attached() && name.is_attached()
                && name.is_name()
        );
        // `-dot-` is a dot, not a part of the label.
        if !goes_on || dot(tokens, next).is_some() {
            return Some(next);
        }
        next += 1;
    }
}

fn is_any_tld(token: &Token) -> bool {
    token.kind == Kind::Letters && token.text.chars().count() >= 2 && !token.is_word_of(FILE)
}

fn is_known_tld(token: &Token, with_words: bool) -> bool {
    token.is_word_of(TLD) || (with_words && token.is_word_of(WORD_TLD))
}
