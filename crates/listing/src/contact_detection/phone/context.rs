//! What the words around a number call it.

use super::run::Run;
use crate::contact_detection::tokens::{Gap, Kind, Token};
use crate::contact_detection::vocabulary::{
    CURRENCY, CURRENCY_SIGNS, FILLER, IDENTIFIER, MONEY, NUMBERED_THING, OWNER, PHONE, PHONE_SIGNS,
};

/// How many words back a phone is still mentioned in connection with the number.
const WORDS_BACK: usize = 5;
/// How many tokens after the number it may be mentioned.
const TOKENS_AHEAD: usize = 3;

/// What a number is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// A phone number.
    Announced,
    /// An id, a postal code, a coordinate.
    Identifier,
    /// A sum with its currency.
    Currency,
    /// A sum without one.
    Money,
    /// Nothing that says what it is.
    None,
}

/// What the words around a run call it.
pub(super) fn of(tokens: &[Token], run: &Run) -> Context {
    let before = before(tokens, run);
    if before == Context::Announced {
        return before;
    }
    if is_part_of_id(tokens, run) {
        return Context::Identifier;
    }
    if before != Context::Identifier && has_currency(tokens, run) {
        return Context::Currency;
    }
    if before == Context::None && is_announced_after(tokens, run) {
        return Context::Announced;
    }
    before
}

/// The nearest word before the run that says what it is.
fn before(tokens: &[Token], run: &Run) -> Context {
    let mut is_adjacent = true;
    let mut names_thing = false;
    let mut words = 0;
    for i in (0..run.start).rev() {
        let token = &tokens[i];
        let ends_line = tokens[i + 1].gap == Gap::Line && !token.is_sign(':');
        if ends_line || words > WORDS_BACK || ends_sentence(tokens, i) {
            break;
        }
        if says_phone(tokens, i) {
            return Context::Announced;
        }
        if is_adjacent && (token.is_word_of(IDENTIFIER) || token.is_any_sign("#№")) {
            return Context::Identifier;
        }
        if is_adjacent && token.is_word_of(MONEY) {
            return Context::Money;
        }
        names_thing |= is_adjacent && token.is_word_of(NUMBERED_THING);
        is_adjacent &= !token.is_sign(',');
        if token.is_name() {
            is_adjacent &= token.is_word_of(FILLER);
            words += 1;
        }
    }
    if names_thing && run.groups.len() == 1 {
        Context::Identifier
    } else {
        Context::None
    }
}

fn says_phone(tokens: &[Token], i: usize) -> bool {
    let token = &tokens[i];
    let is_owned = |word: &Token| word.is_word_of(OWNER);
    let is_own_number = token.is_word_of(&["number", "no", "nr"])
        && i.checked_sub(1)
            .is_some_and(|before| is_owned(&tokens[before]));
    let is_short_link = token.is_word_of(&["wa"])
        && matches!(tokens.get(i + 1..i + 3), Some([dot, me]) if dot.is_sign('.') && me.is_word_of(&["me"]));
    token.is_word_of(PHONE) || token.is_any_sign(PHONE_SIGNS) || is_own_number || is_short_link
}

/// Whether the sentence ends here; "Tel." and "Ref." do not end one, nor does a dot in an address.
fn ends_sentence(tokens: &[Token], i: usize) -> bool {
    if tokens[i].is_any_sign("!?;") {
        return true;
    }
    let abbreviates = |word: &Token| {
        word.is_word_of(PHONE) || word.is_word_of(IDENTIFIER) || word.is_word_of(FILLER)
    };
    let is_abbreviation = i
        .checked_sub(1)
        .is_some_and(|before| abbreviates(&tokens[before]));
    tokens[i].is_sign('.') && !tokens[i + 1].is_attached() && !is_abbreviation
}

/// `5550123 (WhatsApp)`.
fn is_announced_after(tokens: &[Token], run: &Run) -> bool {
    tokens
        .iter()
        .skip(run.end)
        .take(TOKENS_AHEAD)
        .take_while(|token| token.gap != Gap::Line)
        .take_while(|token| token.is_name() || token.is_any_sign("()-:"))
        .any(|token| token.is_word_of(PHONE))
}

/// `AB-9876543210`, `/listing/9876543210`, `9876543210-X`: part of something longer.
fn is_part_of_id(tokens: &[Token], run: &Run) -> bool {
    let begins_longer = matches!(
        run.start.checked_sub(2).and_then(|from| tokens.get(from..=run.start)),
        Some([name, sign, number]) if name.is_name() && sign.is_attached()
            && sign.is_any_sign("-_/=") && number.is_attached()
    );
    let ends_longer = matches!(
        tokens.get(run.end..run.end + 2),
        Some([sign, name]) if sign.is_attached() && sign.is_any_sign("-_")
            && name.is_attached() && matches!(name.kind, Kind::Letters | Kind::Mixed)
    );
    begins_longer || ends_longer
}

/// `$ 4155550123`, `Rs. 4155550123`, `4155550123 INR`, `4155550123/-`.
fn has_currency(tokens: &[Token], run: &Run) -> bool {
    let is_currency =
        |token: &Token| token.is_word_of(CURRENCY) || token.is_any_sign(CURRENCY_SIGNS);
    let before = (0..run.start)
        .rev()
        .map(|i| &tokens[i])
        .find(|token| !token.is_any_sign(".:"));
    let is_price_mark = matches!(
        tokens.get(run.end..run.end + 2),
        Some([slash, dash]) if slash.is_sign('/') && dash.is_sign('-')
    );
    before.is_some_and(is_currency) || tokens.get(run.end).is_some_and(is_currency) || is_price_mark
}
