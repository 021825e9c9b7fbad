//! `sendEmail`: once per message id, with everything in it, and nothing lost without a word.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partner_core::contracts::email::{EmailAttachment, SendEmailInput};
use partner_core::wire::Wire;
use partner_local::inbox::MailFaultMode;

use crate::support::{ANA, World, done, failed};

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
async fn a_mail_whose_answer_was_lost_is_sent_again_under_the_same_id() -> Result<()> {
    let world = World::start().await?;
    let id = "order/1/paid";
    world.fail(MailFaultMode::DropAfterData, 1);
    assert_eq!(
        failed(world.send(input(Some(id))).await)?,
        ("EXTERNAL_SERVICE_ERROR".to_owned(), true)
    );
    assert_eq!(
        world.delivery(id).await?,
        ("possibly_delivered".to_owned(), 1)
    );

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
async fn a_mailbox_that_refuses_for_good_is_not_tried_again() -> Result<()> {
    let world = World::start().await?;
    world.fail(MailFaultMode::Refuse, 1);
    let refused = failed(world.send(input(Some("order/1/paid"))).await)?;
    assert_eq!(refused, ("EXTERNAL_SERVICE_ERROR".to_owned(), false));
    assert_eq!(
        world.delivery("order/1/paid").await?,
        ("refused".to_owned(), 1)
    );
    let reason: String = sqlx::query_scalar("SELECT last_error FROM email_deliveries")
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
    let stored = EmailAttachment {
        url: Some("s3://x/y".to_owned()),
        content: None,
        ..file("a.txt", b"")
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
        attached(stored),
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
