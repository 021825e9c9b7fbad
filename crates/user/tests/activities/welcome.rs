//! `sendWelcomePackage`: once, whole, and safe whatever the partner is called.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use partner_core::wire::Wire;
use partner_local::inbox::{Mail, MailFaultMode};
use partner_user::activities::email::EmailActivities;
use partner_user::activities::welcome::{
    SendWelcomePackageInput, SendWelcomePackageResult, WelcomeActivities,
};
use partner_user::settings::OnboardingSettings;
use url::Url;

use crate::support::{ANA, World, done, failed};

const PORTAL: &str = "https://portal.partner.example/start?a=1&b=2";
const HELP: &str = "https://help.partner.example/";
const SUPPORT: &str = "support@partner.example";
const KEY: &str = "onboarding/ana/welcome";

fn activities(world: &World) -> Result<WelcomeActivities> {
    Ok(WelcomeActivities {
        emails: EmailActivities {
            // The world's is too small for the guide.
            max_attachment_bytes: 100_000,
            ..world.emails.clone()
        },
        settings: OnboardingSettings {
            portal_url: Url::parse(PORTAL)?,
            help_url: Url::parse(HELP)?,
            support_email: SUPPORT.to_owned(),
        },
    })
}

fn input(name: &str) -> Wire<SendWelcomePackageInput> {
    let json = serde_json::json!({ "userId": "ana", "email": ANA, "name": name });
    Wire::from_json(json.to_string().as_bytes())
}

/// The one mail that a partner of this name gets.
async fn mail_to(world: &World, name: &str) -> Result<Arc<Mail>> {
    done(activities(world)?.send(input(name)).await)?;
    Ok(world.mails(ANA, 1).await?.remove(0))
}

#[tokio::test]
async fn the_package_carries_what_a_new_partner_needs() -> Result<()> {
    let world = World::start().await?;
    let mail = mail_to(&world, "Ana Müller").await?;
    assert_eq!(
        mail.subject.as_deref(),
        Some("Welcome, Ana Müller: your first steps as a partner")
    );
    let [guide] = mail.attachments.as_slice() else {
        bail!(
            "{} attachments instead of the guide",
            mail.attachments.len()
        );
    };
    assert_eq!(
        (guide.filename.as_str(), guide.content_type.as_str()),
        ("partner-guide.txt", "text/plain")
    );
    let html = mail.html.as_deref().context("no HTML part")?;
    let text = mail.text.as_deref().context("no text part")?;
    let guide = std::str::from_utf8(&guide.content)?;
    for part in [html, text, guide] {
        for needed in [
            HELP,
            SUPPORT,
            "10 characters",
            "50",
            "address, city and state",
            "48 hours",
        ] {
            assert!(part.contains(needed), "{needed:?} is missing in {part}");
        }
    }
    assert!(
        html.contains(r#"<a href="https://portal.partner.example/start?a=1&#38;b=2">"#),
        "{html}"
    );
    for part in [text, guide] {
        assert!(part.contains(PORTAL), "{part}");
        assert!(!part.contains("{{") && !part.contains("&#"), "{part}");
    }
    Ok(())
}

#[tokio::test]
async fn the_package_is_sent_once_however_often_it_is_asked_for() -> Result<()> {
    let world = World::start().await?;
    let welcome = activities(&world)?;
    for _ in 0..3 {
        let result = done(welcome.send(input("Ana")).await)?;
        assert_eq!(
            result,
            SendWelcomePackageResult {
                success: true,
                user_id: "ana".to_owned(),
                email: ANA.to_owned(),
            }
        );
    }
    world.mails(ANA, 1).await?;
    assert_eq!(world.delivery(KEY).await?, ("sent".to_owned(), 1));
    Ok(())
}

#[tokio::test]
async fn a_name_with_markup_stays_a_name() -> Result<()> {
    let world = World::start().await?;
    let name = r#"<img src=x onerror="alert(1)"> & Söhne"#;
    let mail = mail_to(&world, name).await?;
    let html = mail.html.as_deref().context("no HTML part")?;
    assert!(!html.contains("<img"), "{html}");
    assert!(html.contains("&#60;img src=x onerror=&#34;"), "{html}");
    assert!(html.contains("&#38; Söhne"), "{html}");
    let text = mail.text.as_deref().context("no text part")?;
    assert!(text.contains(name), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_name_with_line_breaks_is_one_line_and_no_header() -> Result<()> {
    let world = World::start().await?;
    let name = "Ana\r\nBcc: eve@example.com\r\n\r\n<h1>Pay here</h1>";
    let mail = mail_to(&world, name).await?;
    assert_eq!(
        mail.subject.as_deref(),
        Some("Welcome, Ana Bcc: eve@example.com <h1>Pay here</h1>: your first steps as a partner")
    );
    assert!(world.inbox.mails_to("eve@example.com").is_empty());
    let text = mail.text.as_deref().context("no text part")?;
    let first = text.lines().next().context("an empty text part")?;
    assert_eq!(
        first.trim_end(),
        "Welcome, Ana Bcc: eve@example.com <h1>Pay here</h1>."
    );
    Ok(())
}

#[tokio::test]
async fn the_longest_name_is_sent_and_a_longer_one_is_refused() -> Result<()> {
    let world = World::start().await?;
    let longest = "ü".repeat(200);
    let mail = mail_to(&world, &longest).await?;
    let subject = mail.subject.as_deref().context("no subject")?;
    assert!(subject.contains(&longest), "{subject}");
    refused(&world, input(&"ü".repeat(201))).await
}

#[tokio::test]
async fn a_mailbox_that_refuses_for_good_fails_it_and_another_run_may_try_again() -> Result<()> {
    let world = World::start().await?;
    let welcome = activities(&world)?;
    world.fail(MailFaultMode::Refuse, 1);
    let (code, retryable) = failed(welcome.send(input("Ana")).await)?;
    assert_eq!(
        (code.as_str(), retryable),
        ("EXTERNAL_SERVICE_ERROR", false)
    );
    assert_eq!(world.delivery(KEY).await?.0, "refused");

    done(welcome.send(input("Ana")).await)?;
    world.mails(ANA, 1).await?;
    assert_eq!(world.delivery(KEY).await?.0, "sent");
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_for_good_and_never_sent() -> Result<()> {
    let world = World::start().await?;
    for json in [
        "null",
        r#"{"userId":"ana","email":"ana@example.com"}"#,
        r#"{"userId":"ana","email":"ana@example.com","name":" \r\n"}"#,
        r#"{"userId":"ana","email":"ana@example.com\r\nBcc: eve@example.com","name":"Ana"}"#,
        r#"{"userId":"a\nb","email":"ana@example.com","name":"Ana"}"#,
    ] {
        refused(&world, Wire::from_json(json.as_bytes()))
            .await
            .context(json)?;
    }
    assert!(world.inbox.mails().is_empty());
    assert_eq!(world.deliveries().await?, 0);
    Ok(())
}

async fn refused(world: &World, input: Wire<SendWelcomePackageInput>) -> Result<()> {
    let (code, retryable) = failed(activities(world)?.send(input).await)?;
    assert_eq!((code.as_str(), retryable), ("VALIDATION_ERROR", false));
    Ok(())
}
