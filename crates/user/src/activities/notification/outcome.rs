//! What became of a notification, from what its channels said or from what the ledger has.

use partner_core::contracts::notification::{ChannelOutcome, ChannelStatus};
use partner_core::error::{Failure, chain};

use crate::error::UserError;
use crate::ledger::Delivered;
use crate::repository::{DeliveryOutcome, DeliveryState};

/// What a channel was tried with.
pub(super) enum Tried {
    /// Nothing: the user does not want it there.
    Muted,
    /// The notification.
    Sent(Result<Delivered, UserError>),
}

/// The outcome of all channels: an error while one may still go out, and if all failed for good.
///
/// A channel that the recipient has not got counts only if it was asked for by name.
pub(super) fn report(
    tried: Vec<(&'static str, Tried)>,
    by_name: bool,
) -> Result<Vec<ChannelOutcome>, UserError> {
    let mut outcomes = Vec::new();
    let mut errors = Vec::new();
    for (channel, tried) in tried {
        let (status, error) = match tried {
            Tried::Sent(Err(UserError::Unreachable(_))) if !by_name => continue,
            Tried::Muted => (ChannelStatus::Muted, None),
            Tried::Sent(Ok(Delivered::Sent)) => (ChannelStatus::Sent, None),
            Tried::Sent(Ok(Delivered::Possibly(reason))) => {
                (ChannelStatus::PossiblyDelivered, Some(reason))
            }
            Tried::Sent(Err(error)) => {
                let reason = chain(&error);
                tracing::warn!(
                    notification.channel = channel,
                    // Not the words, which may quote an address: they are in the ledger.
                    error.code = %error.code(),
                    "channel failed"
                );
                errors.push(error);
                (ChannelStatus::Failed, Some(reason))
            }
        };
        outcomes.push(ChannelOutcome {
            channel: channel.to_owned(),
            status,
            error,
        });
    }
    match verdict(errors, &outcomes) {
        Some(error) => Err(error),
        None => Ok(outcomes),
    }
}

/// The error that all channels together end in, if any.
fn verdict(errors: Vec<UserError>, outcomes: &[ChannelOutcome]) -> Option<UserError> {
    let (passing, lasting): (Vec<_>, Vec<_>) = errors.into_iter().partition(Failure::is_retryable);
    let reached = outcomes.iter().any(|outcome| {
        matches!(
            outcome.status,
            ChannelStatus::Sent | ChannelStatus::PossiblyDelivered
        )
    });
    // There are few attempts: the next one comes when it can help every channel.
    passing
        .into_iter()
        .max_by_key(Failure::retry_after)
        .or_else(|| lasting.into_iter().next().filter(|_| !reached))
}

/// What the ledger has, one entry a channel: the best of its recipients.
pub(super) fn of_ledger(deliveries: Vec<DeliveryOutcome>) -> Vec<ChannelOutcome> {
    let mut outcomes: Vec<ChannelOutcome> = Vec::new();
    for delivery in deliveries {
        let outcome = ChannelOutcome {
            channel: delivery.channel,
            status: status(delivery.state),
            error: delivery.last_error,
        };
        match outcomes
            .last_mut()
            .filter(|last| last.channel == outcome.channel)
        {
            None => outcomes.push(outcome),
            Some(last) if rank(outcome.status) > rank(last.status) => *last = outcome,
            Some(_) => {}
        }
    }
    outcomes
}

const fn status(state: DeliveryState) -> ChannelStatus {
    match state {
        DeliveryState::Sending => ChannelStatus::Pending,
        // The gate was passed, and nobody came back with the answer.
        DeliveryState::HandedOver | DeliveryState::PossiblyDelivered => {
            ChannelStatus::PossiblyDelivered
        }
        DeliveryState::Sent => ChannelStatus::Sent,
        DeliveryState::Refused => ChannelStatus::Failed,
    }
}

const fn rank(status: ChannelStatus) -> u8 {
    match status {
        ChannelStatus::Sent => 4,
        ChannelStatus::PossiblyDelivered => 3,
        ChannelStatus::Pending => 2,
        ChannelStatus::Failed => 1,
        ChannelStatus::Muted => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use partner_core::ports::mailer::MailerError;
    use partner_core::ports::push::PushError;

    use super::*;

    fn sent() -> Tried {
        Tried::Sent(Ok(Delivered::Sent))
    }

    fn refused() -> Tried {
        Tried::Sent(Err(MailerError::Refused("550".to_owned()).into()))
    }

    fn busy(seconds: u64) -> Tried {
        Tried::Sent(Err(UserError::Push(PushError::RateLimited {
            retry_after: Some(Duration::from_secs(seconds)),
        })))
    }

    fn absent() -> Tried {
        Tried::Sent(Err(UserError::Unreachable("no device")))
    }

    fn statuses(tried: Vec<Tried>, by_name: bool) -> Result<Vec<ChannelStatus>, UserError> {
        let tried = tried.into_iter().map(|tried| ("channel", tried)).collect();
        let outcomes = report(tried, by_name)?;
        Ok(outcomes.iter().map(|outcome| outcome.status).collect())
    }

    #[test]
    fn a_channel_that_failed_for_good_does_not_fail_the_others() {
        use ChannelStatus::{Failed, Muted, Sent};
        for (tried, expected) in [
            (vec![sent(), refused()], vec![Sent, Failed]),
            (vec![Tried::Muted, Tried::Muted], vec![Muted, Muted]),
            (vec![sent(), absent()], vec![Sent]),
            (vec![], vec![]),
        ] {
            assert_eq!(statuses(tried, false).unwrap(), expected);
        }
        assert_eq!(
            statuses(vec![sent(), absent()], true).unwrap(),
            [Sent, Failed]
        );
    }

    #[test]
    fn all_that_were_tried_failed_for_good() {
        let error = statuses(vec![refused(), Tried::Muted], false).unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        let error = statuses(vec![absent()], true).unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }

    #[test]
    fn comes_again_when_every_channel_may_be_helped() {
        let error =
            statuses(vec![sent(), busy(3), busy(7), busy(5), refused()], false).unwrap_err();
        assert!(error.is_retryable());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn the_best_of_its_recipients_is_the_channels_outcome() {
        use DeliveryState::{HandedOver, PossiblyDelivered, Refused, Sending, Sent};
        for (states, expected) in [
            (vec![Refused, Sent, Sending], ChannelStatus::Sent),
            (vec![Refused, HandedOver], ChannelStatus::PossiblyDelivered),
            (
                vec![PossiblyDelivered, Sending],
                ChannelStatus::PossiblyDelivered,
            ),
            (vec![Sending, Refused], ChannelStatus::Pending),
            (vec![Refused], ChannelStatus::Failed),
        ] {
            let rows = states.iter().map(|&state| DeliveryOutcome {
                channel: "push".to_owned(),
                state,
                last_error: None,
            });
            let outcomes = of_ledger(rows.collect());
            assert_eq!(outcomes.len(), 1, "{states:?}");
            assert_eq!(outcomes[0].status, expected, "{states:?}");
        }
    }
}
