//! The send ledger: of attempts at the same time one sends, and what was cut off is neither lost nor
//! sent twice.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::{Either, join_all, select};
use partner_core::error::Failure;
use partner_core::ports::hand_over::{HandOver, Withheld};
use partner_core::ports::mailer::MailerError;
use partner_user::error::UserError;
use partner_user::ledger::{Delivered, Message, SendLedger};
use partner_user::repository::{Delivery, DeliveryKey, DeliveryRepository};
use partner_user::settings::UnknownOutcome;
use tokio::sync::{Barrier, Notify};

use crate::support::World;

const ID: &str = "order/1/paid";

fn message(retried: bool) -> Message {
    Message {
        key: DeliveryKey {
            notification_id: ID.to_owned(),
            recipient: "ana@example.com".to_owned(),
            channel: "email",
        },
        subject: Some("Paid".to_owned()),
        retried,
    }
}

/// Where a process dies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    BeforeTheGate,
    AfterTheGate,
}

/// An attempt whose process dies.
async fn crash(ledger: &SendLedger, crash: Crash) -> Result<()> {
    let there = Notify::new();
    let work = async |gate: Delivery| {
        if crash == Crash::AfterTheGate {
            gate.hand_over().await?;
        }
        there.notify_one();
        pending().await
    };
    let attempt = ledger.deliver(message(false), work);
    match select(pin!(attempt), pin!(there.notified())).await {
        Either::Left((ended, _)) => bail!("ended before it could crash: {ended:?}"),
        Either::Right(_) => Ok(()),
    }
}

/// An attempt that the other side answers like this.
async fn attempt(
    ledger: &SendLedger,
    answer: Result<(), MailerError>,
) -> Result<Delivered, UserError> {
    let work = async |gate: Delivery| {
        gate.hand_over().await?;
        Ok(answer?)
    };
    ledger.deliver(message(false), work).await
}

/// An attempt that must not be made.
async fn no_attempt(ledger: &SendLedger, retried: bool) -> Result<Delivered, UserError> {
    let work = async |_gate: Delivery| panic!("an attempt was made");
    ledger.deliver(message(retried), work).await
}

async fn let_the_lease_pass(world: &World) -> Result<()> {
    world
        .run("UPDATE deliveries SET handed_over_at = handed_over_at - interval '35 seconds'")
        .await
}

#[tokio::test]
async fn of_attempts_at_the_same_time_one_sends() -> Result<()> {
    const ATTEMPTS: usize = 10;
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    let (all_begun, sent) = (Barrier::new(ATTEMPTS), AtomicUsize::new(0));
    let attempts = (0..ATTEMPTS).map(|_| {
        let work = async |gate: Delivery| {
            all_begun.wait().await;
            gate.hand_over().await?;
            sent.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        ledger.deliver(message(false), work)
    });
    let ended = join_all(attempts).await;

    assert_eq!(sent.into_inner(), 1);
    let (sent, withheld): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_ok);
    assert_eq!(sent.len(), 1);
    for error in withheld.into_iter().filter_map(Result::err) {
        assert!(matches!(error, UserError::Withheld(_)), "{error:?}");
        assert!(error.is_retryable());
    }
    assert_eq!(world.delivery(ID).await?, ("sent".to_owned(), 10));
    Ok(())
}

#[tokio::test]
async fn the_gate_is_closed_to_an_attempt_that_another_one_overtook() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    let overtaken = async |gate: Delivery| {
        attempt(ledger, Ok(())).await?;
        gate.hand_over().await?;
        panic!("the gate was open");
    };
    let error = ledger
        .deliver(message(false), overtaken)
        .await
        .err()
        .context("it was sent twice")?;
    assert!(matches!(error, UserError::Withheld(_)), "{error:?}");
    assert_eq!(world.delivery(ID).await?, ("sent".to_owned(), 2));
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_was_overtaken_changes_nothing_about_the_later_one() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    for answer in [
        MailerError::Deferred("451".to_owned()),
        MailerError::Refused("550".to_owned()),
    ] {
        world.run("DELETE FROM deliveries").await?;
        let overtaken = async |_gate: Delivery| {
            crash(ledger, Crash::AfterTheGate).await.unwrap();
            Err(answer.into())
        };
        let ended = ledger.deliver(message(false), overtaken).await;
        assert!(ended.is_err(), "{ended:?}");
        assert_eq!(world.delivery(ID).await?, ("handed_over".to_owned(), 2));
    }
    Ok(())
}

#[tokio::test]
async fn what_crashed_before_the_gate_is_sent_by_the_next_attempt() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    crash(ledger, Crash::BeforeTheGate).await?;
    assert_eq!(attempt(ledger, Ok(())).await?, Delivered::Sent);
    assert_eq!(world.delivery(ID).await?, ("sent".to_owned(), 2));
    Ok(())
}

#[tokio::test]
async fn what_crashed_after_the_gate_is_waited_for_and_decided_by_the_next_attempt() -> Result<()> {
    let world = World::start().await?;
    crash(&world.emails.ledger, Crash::AfterTheGate).await?;
    // So long that the attempt has to wait, and so short that it passes meanwhile.
    let lease = Duration::from_secs(2);
    let deliveries = DeliveryRepository::new(world.pool.clone());
    let ledger = SendLedger::new(deliveries, UnknownOutcome::Record, lease);
    let found = no_attempt(&ledger, true).await?;
    assert!(matches!(found, Delivered::Possibly(_)), "{found:?}");
    let recorded = ("possibly_delivered".to_owned(), 1);
    assert_eq!(world.delivery(ID).await?, recorded);
    Ok(())
}

#[tokio::test]
async fn whoever_finds_a_message_being_handed_over_waits_for_its_answer() -> Result<()> {
    for policy in [UnknownOutcome::Record, UnknownOutcome::Resend] {
        let world = World::start_with(policy).await?;
        let ledger = &world.emails.ledger;
        let (handed_over, answer) = (Notify::new(), Notify::new());
        let slow = async |gate: Delivery| {
            gate.hand_over().await?;
            handed_over.notify_one();
            answer.notified().await;
            Ok(())
        };
        let second = async {
            handed_over.notified().await;
            let mut waiting = pin!(no_attempt(ledger, false));
            // It finds the message on its way, and looks again.
            let looking = tokio::time::timeout(Duration::from_secs(1), waiting.as_mut()).await;
            assert!(looking.is_err(), "it did not wait: {looking:?}");
            answer.notify_one();
            waiting.await
        };
        let (first, second) = futures::join!(ledger.deliver(message(false), slow), second);
        assert_eq!((first?, second?), (Delivered::Sent, Delivered::Sent));
        assert_eq!(world.delivery(ID).await?, ("sent".to_owned(), 1));
    }
    Ok(())
}

#[tokio::test]
async fn after_the_lease_it_is_recorded_as_possibly_delivered_for_ever() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    crash(ledger, Crash::AfterTheGate).await?;
    let_the_lease_pass(&world).await?;
    for retried in [false, true, false] {
        let found = no_attempt(ledger, retried).await?;
        assert!(matches!(found, Delivered::Possibly(_)), "{found:?}");
    }
    assert_eq!(
        world.delivery(ID).await?,
        ("possibly_delivered".to_owned(), 1)
    );
    Ok(())
}

#[tokio::test]
async fn after_the_lease_it_is_sent_again_if_operators_want_that() -> Result<()> {
    let world = World::start_with(UnknownOutcome::Resend).await?;
    let ledger = &world.emails.ledger;
    crash(ledger, Crash::AfterTheGate).await?;
    let_the_lease_pass(&world).await?;
    assert_eq!(attempt(ledger, Ok(())).await?, Delivered::Sent);
    assert_eq!(world.delivery(ID).await?, ("sent".to_owned(), 2));
    Ok(())
}

#[tokio::test]
async fn an_answer_that_comes_after_the_lease_still_counts() -> Result<()> {
    for (answer, state) in [
        (Ok(()), "sent"),
        (Err(MailerError::Refused("550".to_owned())), "refused"),
    ] {
        let world = World::start().await?;
        let ledger = &world.emails.ledger;
        let late = async |gate: Delivery| {
            gate.hand_over().await?;
            let_the_lease_pass(&world).await.unwrap();
            no_attempt(ledger, false).await?;
            Ok(answer?)
        };
        let _ = ledger.deliver(message(false), late).await;
        assert_eq!(world.delivery(ID).await?, (state.to_owned(), 1));
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_recorded_and_not_tried_again() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    let lost = MailerError::ConnectionLost("reset".to_owned());
    let delivered = attempt(ledger, Err(lost)).await?;
    let Delivered::Possibly(reason) = &delivered else {
        bail!("{delivered:?}");
    };
    assert!(reason.contains("reset"), "{reason}");
    assert_eq!(no_attempt(ledger, true).await?, delivered);
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_tried_again_at_once_if_operators_want_that() -> Result<()> {
    let world = World::start_with(UnknownOutcome::Resend).await?;
    let ledger = &world.emails.ledger;
    let lost = MailerError::ConnectionLost("reset".to_owned());
    let error = attempt(ledger, Err(lost))
        .await
        .err()
        .context("it was recorded")?;
    assert!(error.is_retryable());
    assert_eq!(attempt(ledger, Ok(())).await?, Delivered::Sent);
    assert_eq!(world.delivery(ID).await?, ("sent".to_owned(), 2));
    Ok(())
}

#[tokio::test]
async fn what_was_surely_not_taken_is_tried_again_at_once() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    for (count, error) in [
        (1, MailerError::Deferred("451".to_owned())),
        (2, MailerError::Unreachable("refused".to_owned())),
        (3, MailerError::Withheld(Withheld("database".to_owned()))),
    ] {
        let error = attempt(ledger, Err(error)).await.err().context("sent")?;
        assert!(error.is_retryable(), "{error:?}");
        assert_eq!(world.delivery(ID).await?, ("sending".to_owned(), count));
    }
    assert_eq!(attempt(ledger, Ok(())).await?, Delivered::Sent);
    Ok(())
}

#[tokio::test]
async fn a_refusal_stands_for_its_sender_and_may_be_tried_by_another() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    let refused = MailerError::Refused("550 no such mailbox".to_owned());
    let error = attempt(ledger, Err(refused)).await.err().context("sent")?;
    assert!(!error.is_retryable(), "{error:?}");

    let again = no_attempt(ledger, true).await.err().context("sent")?;
    assert!(!again.is_retryable(), "{again:?}");
    assert!(again.to_string().contains("550"), "{again}");
    assert_eq!(world.delivery(ID).await?, ("refused".to_owned(), 1));

    assert_eq!(attempt(ledger, Ok(())).await?, Delivered::Sent);
    assert_eq!(no_attempt(ledger, false).await?, Delivered::Sent);
    Ok(())
}

/// PostgreSQL's text does not hold every character that the other side may say.
#[tokio::test]
async fn whatever_the_other_side_says_is_written_down() -> Result<()> {
    let world = World::start().await?;
    let ledger = &world.emails.ledger;
    let busy = MailerError::Deferred("451 \0 try later".to_owned());
    let error = attempt(ledger, Err(busy)).await.err();
    let error = error.context("it was sent")?;
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(world.delivery(ID).await?, ("sending".to_owned(), 1));
    assert_eq!(attempt(ledger, Ok(())).await?, Delivered::Sent);
    Ok(())
}
