//! The last moment before something leaves the process and cannot be called back.
//!
//! Mail and push have no key by which a repeat is recognised, and nothing to look an unknown
//! outcome up by. What can be had is a narrow gate: whoever is about to hand a message over writes
//! that down first, and only one attempt ever gets through. A crash before the gate sent nothing;
//! a crash behind it may have sent something, and the row says so.

use async_trait::async_trait;

/// The gate that a message passes once.
#[async_trait]
pub trait HandOver: Send + Sync {
    /// Writes down that the message is being handed over. Called once by an adapter, right before
    /// the first byte after which the other side may take responsibility.
    ///
    /// # Errors
    /// [`Withheld`] if it must not go out any more, or if that could not be written down; the
    /// adapter then sends nothing.
    async fn hand_over(&self) -> Result<(), Withheld>;
}

/// Why a message was not handed over; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message was not handed over: {0}")]
pub struct Withheld(pub String);
