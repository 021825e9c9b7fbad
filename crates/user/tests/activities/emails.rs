//! `sendEmail`: once per message id, with everything in it, and nothing lost without a word.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use partner_core::contracts::email::{EmailAttachment, SendEmailInput};
use partner_core::wire::Wire;
use partner_local::inbox::MailFaultMode;
use partner_user::settings::UnknownOutcome;

use crate::support::{ANA, MOST_BYTES, World, done, failed, failure};

fn input(message_id: Option<&str>) -> SendEmailInput {
    SendEmailInput {
        to: ANA.to_owned(),
        subject: "Grüße 🎉".to_owned(),
        body: "<h1>Thank you</h1><p>Order <b>42</b> is paid.</p>".to_owned(),
        text: None,
        attachments: Vec::new(),
        message_id: message_id.map(str::to_owned),
    }
}

fn file(filename: &str, content: &[u8]) -> EmailAttachment {
    EmailAttachment {
        filename: filename.to_owned(),
        url: None,
        content: Some(STANDARD.encode(content)),
    }
}

#[tokio::test]
async fn a_mail_arrives_with_both_bodies_and_its_attachments() -> Result<()> {
    let world = World::start().await?;
    let every_byte: Vec<u8> = (0..=255).collect();
    let result = done(
        world
            .send(SendEmailInput {
                attachments: vec![
                    file("Rechnung ü.pdf", &every_byte),
                    file("data.csv", b"a,b\r\n1,2\r\n"),
                ],
                ..input(Some("order/42/paid"))
            })
            .await,
    )?;
    assert_eq!(
        (result.success, result.to.as_str(), result.subject.as_str()),
        (true, ANA, "Grüße 🎉")
    );

    let mail = world.mails(ANA, 1).await?.remove(0);
    assert_eq!(mail.subject.as_deref(), Some("Grüße 🎉"));
    assert_eq!(
        mail.from.as_deref(),
        Some("Partner <noreply@partner.example>")
    );
    let html = mail.html.as_deref().context("no HTML part")?;
    assert!(html.contains("<b>42</b>"), "{html}");
    let text = mail.text.as_deref().context("no text part")?;
    assert!(
        text.contains("Thank you") && !text.contains("<h1>"),
        "{text}"
    );
    let files: Vec<_> = mail
        .attachments
        .iter()
        .map(|file| (file.filename.as_str(), file.content_type.as_str()))
        .collect();
    assert_eq!(
        files,
        [
            ("Rechnung ü.pdf", "application/pdf"),
            ("data.csv", "text/csv")
        ]
    );
    assert_eq!(mail.attachments[0].content, every_byte);
    assert_eq!(mail.attachments[1].content, b"a,b\r\n1,2\r\n");
    Ok(())
}

#[tokio::test]
async fn a_text_that_is_given_is_the_text_part() -> Result<()> {
    let world = World::start().await?;
    done(
        world
            .send(SendEmailInput {
                text: Some("In plain words.".to_owned()),
                ..input(None)
            })
            .await,
    )?;
    let mail = world.mails(ANA, 1).await?.remove(0);
    assert_eq!(mail.text.as_deref().map(str::trim), Some("In plain words."));
    Ok(())
}

#[tokio::test]
async fn a_message_id_is_sent_once_whoever_asks_and_how_often() -> Result<()> {
    let world = World::start().await?;
    for activity in ["workflow/run/1", "workflow/run/1", "another/run/7"] {
        done(
            world
                .emails
                .send(input(Some("order/1/paid")).into(), activity)
                .await,
        )?;
    }
    world.mails(ANA, 1).await?;
    assert_eq!(
        world.delivery("order/1/paid").await?,
        ("sent".to_owned(), 1)
    );

    done(world.send(input(Some("order/2/paid"))).await)?;
    let mails = world.mails(ANA, 2).await?;
    assert_ne!(mails[0].message_id, mails[1].message_id);
    Ok(())
}

#[tokio::test]
async fn without_a_message_id_each_activity_sends_once() -> Result<()> {
    let world = World::start().await?;
    for activity in [
        "workflow/run/1",
        "workflow/run/1",
        "workflow/run/2",
        "workflow/run/2",
    ] {
        done(world.emails.send(input(None).into(), activity).await)?;
    }
    world.mails(ANA, 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_possibly_delivered_and_not_sent_again() -> Result<()> {
    let world = World::start().await?;
    let id = "order/1/paid";
    world.fail(MailFaultMode::DropAfterData, 1);
    for _ in 0..3 {
        done(world.send(input(Some(id))).await)?;
        assert_eq!(
            world.delivery(id).await?,
            ("possibly_delivered".to_owned(), 1)
        );
    }
    world.mails(ANA, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_sent_again_under_the_same_id_if_operators_want_that()
-> Result<()> {
    let world = World::start_with(UnknownOutcome::Resend).await?;
    let id = "order/1/paid";
    world.fail(MailFaultMode::DropAfterData, 1);
    assert_eq!(
        failed(world.send(input(Some(id))).await)?,
        ("EXTERNAL_SERVICE_ERROR".to_owned(), true)
    );
    assert_eq!(world.delivery(id).await?, ("sending".to_owned(), 1));

    for _ in 0..2 {
        done(world.send(input(Some(id))).await)?;
        assert_eq!(world.delivery(id).await?, ("sent".to_owned(), 2));
    }
    let mails = world.mails(ANA, 2).await?;
    assert!(mails[0].message_id.is_some());
    assert_eq!(mails[0].message_id, mails[1].message_id);
    Ok(())
}

#[tokio::test]
async fn workers_that_send_the_same_mail_at_the_same_time_send_it_once() -> Result<()> {
    let world = World::start().await?;
    // Of each round, at the latest the one that begins last gets through.
    loop {
        let senders = (0..20).map(|_| world.send(input(Some("order/1/paid"))));
        let (sent, others): (Vec<_>, _) =
            join_all(senders).await.into_iter().partition(Result::is_ok);
        ensure!(!sent.is_empty(), "nobody sent it: {others:?}");
        if others.is_empty() {
            break;
        }
        for answer in others {
            ensure!(failed(answer)?.1, "a failure that ends the retries");
        }
    }
    world.mails(ANA, 1).await?;
    assert_eq!(world.delivery("order/1/paid").await?.0, "sent");
    Ok(())
}

#[tokio::test]
async fn a_message_id_is_sent_once_to_each_recipient() -> Result<()> {
    let world = World::start().await?;
    for to in [ANA, "ben@example.com", ANA] {
        let to = to.to_owned();
        let key = Some("listing/1/review");
        done(world.send(SendEmailInput { to, ..input(key) }).await)?;
    }
    world.mails(ANA, 1).await?;
    world.mails("ben@example.com", 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_mailbox_that_refuses_for_good_is_not_tried_again() -> Result<()> {
    let world = World::start().await?;
    world.fail(MailFaultMode::Refuse, 1);
    let refused = failed(world.send(input(Some("order/1/paid"))).await)?;
    assert_eq!(refused, ("EXTERNAL_SERVICE_ERROR".to_owned(), false));
    assert_eq!(
        world.delivery("order/1/paid").await?,
        ("refused".to_owned(), 1)
    );
    let reason: String = sqlx::query_scalar("SELECT last_error FROM deliveries")
        .fetch_one(&world.pool)
        .await?;
    assert!(reason.contains("550"), "{reason}");
    world.mails(ANA, 0).await?;
    Ok(())
}

#[tokio::test]
async fn a_mailbox_that_refuses_for_now_is_tried_again() -> Result<()> {
    let world = World::start().await?;
    world.fail(MailFaultMode::Defer, 2);
    for attempt in 1..=2 {
        let deferred = failed(world.send(input(Some("order/1/paid"))).await)?;
        assert_eq!(deferred, ("EXTERNAL_SERVICE_ERROR".to_owned(), true));
        assert_eq!(
            world.delivery("order/1/paid").await?,
            ("sending".to_owned(), attempt)
        );
    }
    done(world.send(input(Some("order/1/paid"))).await)?;
    assert_eq!(
        world.delivery("order/1/paid").await?,
        ("sent".to_owned(), 3)
    );
    world.mails(ANA, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_mail_that_breaks_a_rule_is_refused_for_good_and_never_sent() -> Result<()> {
    let world = World::start().await?;
    let attached = |attachment| SendEmailInput {
        attachments: vec![attachment],
        ..input(None)
    };
    for bad in [
        SendEmailInput {
            to: "ana".to_owned(),
            ..input(None)
        },
        SendEmailInput {
            to: "ana@example.com, ben@example.com".to_owned(),
            ..input(None)
        },
        SendEmailInput {
            to: "ana@example.com\r\nBcc: ben@example.com".to_owned(),
            ..input(None)
        },
        SendEmailInput {
            subject: "Hello\r\nBcc: ben@example.com".to_owned(),
            ..input(None)
        },
        attached(file("../etc/passwd", b"x")),
        attached(file("", b"x")),
        attached(EmailAttachment {
            content: Some("not base64".to_owned()),
            ..file("a.txt", b"")
        }),
        attached(EmailAttachment {
            content: None,
            ..file("a.txt", b"")
        }),
        attached(EmailAttachment {
            url: Some("s3://files/a.txt".to_owned()),
            ..file("a.txt", b"")
        }),
        attached(file("a.txt", &vec![0; MOST_BYTES + 1])),
        input(Some("")),
        input(Some("order\r\nBcc: ben@example.com")),
    ] {
        let what = format!("{bad:?}");
        let failure = failed(world.send(bad).await).context(what.clone())?;
        assert_eq!(failure, ("VALIDATION_ERROR".to_owned(), false), "{what}");
    }
    assert!(world.inbox.mails().is_empty());
    assert_eq!(world.deliveries().await?, 0);
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_for_good_and_never_sent() -> Result<()> {
    let world = World::start().await?;
    for json in [
        "null",
        "{}",
        r#"{"to":"ana@example.com","subject":"no body"}"#,
        r#"{"to":1,"subject":"","body":""}"#,
    ] {
        let answer = world
            .emails
            .send(Wire::from_json(json.as_bytes()), "workflow/run/1")
            .await;
        assert_eq!(
            failed(answer).context(json)?,
            ("VALIDATION_ERROR".to_owned(), false),
            "{json}"
        );
    }
    assert!(world.inbox.mails().is_empty());
    assert_eq!(world.deliveries().await?, 0);
    Ok(())
}

fn stored(reference: String) -> EmailAttachment {
    EmailAttachment {
        filename: "report.csv".to_owned(),
        url: Some(reference),
        content: None,
    }
}

fn with_files(attachments: Vec<EmailAttachment>) -> SendEmailInput {
    SendEmailInput {
        attachments,
        ..input(Some("report/1"))
    }
}

#[tokio::test]
async fn a_stored_file_is_read_once_the_mail_is_sent() -> Result<()> {
    let world = World::start().await?;
    let reference = world.files.put("reports/1.csv", b"a,b\r\n1,2\r\n");
    let mail = with_files(vec![file("note.txt", b"see there"), stored(reference)]);
    world.files.be_away(1);
    assert_eq!(
        failed(world.send(mail.clone()).await)?,
        ("EXTERNAL_SERVICE_ERROR".to_owned(), true)
    );
    for _ in 0..2 {
        done(world.send(mail.clone()).await)?;
        // What was sent is not read again: it may be gone.
        world.files.be_away(1);
    }
    let mail = world.mails(ANA, 1).await?.remove(0);
    let files: Vec<_> = mail
        .attachments
        .iter()
        .map(|file| (file.filename.as_str(), file.content.as_slice()))
        .collect();
    assert_eq!(
        files,
        [
            ("note.txt", b"see there".as_slice()),
            ("report.csv", b"a,b\r\n1,2\r\n")
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_stored_file_that_cannot_be_had_refuses_the_mail_for_good() -> Result<()> {
    let world = World::start().await?;
    let half = vec![b'x'; MOST_BYTES / 2];
    let large = world.files.put("large.csv", &vec![b'x'; MOST_BYTES + 1]);
    let fits_once = world.files.put("half.csv", &half);
    for (files, remedy) in [
        (vec![stored(large)], "max_attachment_bytes"),
        (
            vec![
                file("note.txt", b"1"),
                stored(fits_once.clone()),
                stored(fits_once),
            ],
            "max_attachment_bytes",
        ),
        (vec![stored("s3://files/none".to_owned())], "does not exist"),
        (
            vec![stored("file:///etc/passwd".to_owned())],
            "is not in the object storage",
        ),
    ] {
        let failure = failure(world.send(with_files(files)).await)?;
        assert_eq!(failure.code, "VALIDATION_ERROR");
        assert!(
            !failure.retryable && failure.message.contains(remedy),
            "{failure:?}"
        );
        assert_eq!(world.delivery("report/1").await?.0, "refused");
    }
    world.mails(ANA, 0).await?;
    Ok(())
}

#[tokio::test]
async fn files_may_fill_the_limit_together() -> Result<()> {
    let world = World::start().await?;
    let half = vec![b'x'; MOST_BYTES / 2];
    let reference = world.files.put("half.csv", &half);
    done(
        world
            .send(with_files(vec![stored(reference), file("b.txt", &half)]))
            .await,
    )?;
    let mail = world.mails(ANA, 1).await?.remove(0);
    assert_eq!(mail.attachments.len(), 2);
    Ok(())
}

#[tokio::test]
async fn without_object_storage_a_stored_file_is_refused_with_the_remedy() -> Result<()> {
    let mut world = World::start().await?;
    world.emails.objects = None;
    let mail = with_files(vec![stored("s3://files/a".to_owned())]);
    let failure = failure(world.send(mail).await)?;
    assert_eq!(failure.code, "VALIDATION_ERROR");
    assert!(
        !failure.retryable && failure.message.contains("storage.url"),
        "{failure:?}"
    );
    assert_eq!(world.deliveries().await?, 0);
    Ok(())
}
