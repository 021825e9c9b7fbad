//! Phone numbers and email addresses in free text, also those that are disguised.
//!
//! The text is read as `tokens`: words, digits and signs, with look-alikes replaced. `phone`
//! collects groups of digits (also spelled in English words) and asks whether they are grouped or
//! announced like a phone number; dates, times, prices, measures and ids are not. `email` looks
//! for `@` or a word for it between a name and a domain.
//!
//! Where a text can be read both ways, `corpus` (the tests' table) says how it is decided and why.
//! The rule behind it: a number with an international or a trunk prefix is a phone number unless
//! it is called an id; eight digits and fewer without a prefix are one only if something next to
//! them says so.

mod email;
mod phone;
mod tokens;
mod vocabulary;

#[cfg(test)]
mod corpus;

use std::fmt;

/// What a text contains of the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contacts {
    /// A phone number.
    pub phone: bool,
    /// An email address.
    pub email: bool,
}

impl Contacts {
    /// Whether there is either.
    pub const fn any(self) -> bool {
        self.phone || self.email
    }

    /// What two texts contain together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            phone: self.phone || other.phone,
            email: self.email || other.email,
        }
    }
}

impl fmt::Display for Contacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.phone, self.email) {
            (true, true) => "a phone number and an email address",
            (true, false) => "a phone number",
            (false, true) => "an email address",
            (false, false) => "no contact details",
        })
    }
}

/// What a text contains of phone numbers and email addresses.
pub fn contacts_in(text: &str) -> Contacts {
    let tokens = tokens::tokenize(text);
    Contacts {
        phone: phone::is_in(&tokens),
        email: email::is_in(&tokens),
    }
}
