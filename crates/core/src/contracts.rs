//! Activities that several domains call: declared once here, implemented in the domain that owns them.

pub mod email;
pub mod notification;
