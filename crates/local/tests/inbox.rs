//! The inbox through real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use partner_local::inbox::{Inbox, InboxOptions, Login, MailFault, MailFaultMode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(10);

type Sender = AsyncSmtpTransport<Tokio1Executor>;

fn sender(address: SocketAddr) -> Sender {
    Sender::builder_dangerous(address.ip().to_string())
        .port(address.port())
        .timeout(Some(PATIENCE))
        .build()
}

async fn start() -> Result<(Inbox, Sender)> {
    let inbox = Inbox::start(InboxOptions::default()).await?;
    let sender = sender(inbox.smtp_address());
    Ok((inbox, sender))
}

fn http() -> Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()?)
}

async fn get_json(url: String) -> Result<Value> {
    Ok(http()?.get(url).send().await?.json().await?)
}

fn text_mail(to: &str, subject: &str) -> Result<Message> {
    let message = Message::builder()
        .from("Partner <partner@example.com>".parse()?)
        .to(to.parse()?)
        .subject(subject);
    Ok(message.body(format!("about {subject}"))?)
}

fn report_mail(report: &[u8]) -> Result<Message> {
    let bodies = MultiPart::alternative_plain_html(
        "plain <b>text</b>".to_owned(),
        "<p>HTML <a href=\"https://x.example\">link</a> ü</p><script>alert(1)</script>".to_owned(),
    );
    let pdf = Attachment::new("Tagesbericht ü.pdf".to_owned())
        .body(report.to_vec(), ContentType::parse("application/pdf")?);
    let csv = Attachment::new("a.csv".to_owned())
        .body("a,b\r\n".to_owned(), ContentType::parse("text/csv")?);
    let message = Message::builder()
        .message_id(Some("<report-1@partner>".to_owned()))
        .from("Partner <partner@example.com>".parse()?)
        .to("Ana Ünal <ana@example.com>".parse()?)
        .bcc("audit@example.com".parse()?)
        .subject("Report <über alles>");
    Ok(message.multipart(
        MultiPart::mixed()
            .multipart(bodies)
            .singlepart(pdf)
            .singlepart(csv),
    )?)
}

#[tokio::test]
async fn keeps_a_mail_with_all_its_parts() -> Result<()> {
    let (inbox, sender) = start().await?;
    let report: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    sender.send(report_mail(&report)?).await?;
    let mail = inbox
        .wait_for(|mail| mail.subject_contains("report"), PATIENCE)
        .await?;
    assert_eq!(mail.from.as_deref(), Some("Partner <partner@example.com>"));
    assert_eq!(mail.to, ["Ana Ünal <ana@example.com>"]);
    assert_eq!(mail.envelope_from, "partner@example.com");
    assert!(mail.is_to("AUDIT@example.com"));
    assert_eq!(mail.subject.as_deref(), Some("Report <über alles>"));
    assert_eq!(mail.message_id.as_deref(), Some("report-1@partner"));
    assert!(mail.html.as_deref().context("HTML")?.contains("HTML <a"));
    assert!(
        mail.text
            .as_deref()
            .context("text")?
            .contains("plain <b>text</b>")
    );
    let names: Vec<_> = mail
        .attachments
        .iter()
        .map(|file| file.filename.as_str())
        .collect();
    assert_eq!(names, ["Tagesbericht ü.pdf", "a.csv"]);
    assert_eq!(mail.attachments[0].content_type, "application/pdf");
    assert_eq!(mail.attachments[0].content, report);
    Ok(())
}

#[tokio::test]
async fn answers_the_api_with_filters_and_attachments() -> Result<()> {
    let (inbox, sender) = start().await?;
    sender.send(text_mail("bob@example.com", "First")?).await?;
    sender.send(report_mail(b"%PDF")?).await?;
    let all = get_json(format!("{}/api/mails", inbox.url())).await?;
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert_eq!(all[0]["messageId"], "report-1@partner");
    for filter in ["to=BOB@example.com", "subject=first"] {
        let found = get_json(format!("{}/api/mails?{filter}", inbox.url())).await?;
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{filter}");
        assert_eq!(
            found[0]["text"].as_str().map(str::trim_end),
            Some("about First")
        );
    }
    let filter = "messageId=%3Creport-1@partner%3E&to=audit@example.com";
    let found = get_json(format!("{}/api/mails?{filter}", inbox.url())).await?;
    let file = &found[0]["attachments"][0];
    assert_eq!(file["filename"], "Tagesbericht ü.pdf");
    assert_eq!(file["size"], 4);
    let url = format!("{}{}", inbox.url(), file["url"].as_str().context("a URL")?);
    let download = http()?.get(url).send().await?;
    assert_eq!(download.headers()["content-type"], "application/pdf");
    assert!(
        download.headers()["content-disposition"]
            .to_str()?
            .starts_with("attachment;")
    );
    assert_eq!(download.bytes().await?.as_ref(), b"%PDF");
    let none = get_json(format!("{}/api/mails?to=nobody@example.com", inbox.url())).await?;
    assert_eq!(none, json!([]));

    let cleared = http()?
        .delete(format!("{}/api/mails", inbox.url()))
        .send()
        .await?;
    assert_eq!(cleared.status(), 204);
    assert!(inbox.mails().is_empty());
    Ok(())
}

#[tokio::test]
async fn shows_mails_without_trusting_them() -> Result<()> {
    let (inbox, sender) = start().await?;
    sender.send(report_mail(b"%PDF")?).await?;
    let list = http()?.get(inbox.url()).send().await?.text().await?;
    assert!(!list.contains("<über"));
    let id = inbox.mails()[0].id;
    let response = http()?
        .get(format!("{}/mails/{id}", inbox.url()))
        .send()
        .await?;
    let policy = response.headers()["content-security-policy"]
        .to_str()?
        .to_owned();
    let page = response.text().await?;
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"));
    assert!(page.contains("<iframe sandbox="));
    assert!(!page.contains("<script>") && !page.contains("<b>"));
    assert!(page.contains(&format!("/mails/{id}/attachments/1")));
    let missing = http()?
        .get(format!("{}/mails/99", inbox.url()))
        .send()
        .await?;
    assert_eq!(missing.status(), 404);
    Ok(())
}

#[tokio::test]
async fn serves_many_senders_at_once() -> Result<()> {
    let (inbox, _sender) = start().await?;
    let address = inbox.smtp_address();
    let sending = (0..100).map(|number| async move {
        let mail = text_mail(&format!("user{number}@example.com"), &number.to_string())?;
        anyhow::Ok(sender(address).send(mail).await?)
    });
    try_join_all(sending).await?;
    let mails = inbox.wait_for_count(100, |_mail| true, PATIENCE).await?;
    assert_eq!(mails.len(), 100);
    assert_eq!(inbox.mails_to("user42@example.com").len(), 1);
    Ok(())
}

#[tokio::test]
async fn takes_commands_that_come_all_at_once() -> Result<()> {
    let (inbox, _sender) = start().await?;
    let mut stream = TcpStream::connect(inbox.smtp_address()).await?;
    let talk = "EHLO me\r\nMAIL FROM:<a@x> SIZE=20\r\nRCPT TO:<b@x>\r\nDATA\r\n\
                Subject: dots\r\n\r\n..one\r\n.\r\nQUIT\r\n";
    stream.write_all(talk.as_bytes()).await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    let codes: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split([' ', '-']).next())
        .collect();
    assert_eq!(codes.last(), Some(&"221"), "{said}");
    assert!(codes.contains(&"354") && !said.contains("\n5"), "{said}");
    assert_eq!(inbox.mails()[0].text.as_deref(), Some(".one\r\n"));
    Ok(())
}

#[tokio::test]
async fn refuses_and_defers_the_recipients_it_is_told_to() -> Result<()> {
    let (inbox, sender) = start().await?;
    let put = |address: &str, fault: Value| {
        let url = format!("{}/api/faults/{address}", inbox.url());
        async move { anyhow::Ok(http()?.put(url).json(&fault).send().await?.status()) }
    };
    assert_eq!(
        put("gone@example.com", json!({ "mode": "refuse" })).await?,
        204
    );
    assert_eq!(
        put("busy@example.com", json!({ "mode": "defer", "times": 1 })).await?,
        204
    );
    let refused = sender.send(text_mail("Gone@example.com", "x")?).await;
    assert!(refused.err().context("refused")?.is_permanent());
    let deferred = sender.send(text_mail("busy@example.com", "x")?).await;
    assert!(deferred.err().context("deferred")?.is_transient());
    sender.send(text_mail("busy@example.com", "x")?).await?;
    http()?
        .delete(format!("{}/api/faults", inbox.url()))
        .send()
        .await?;
    sender.send(text_mail("gone@example.com", "x")?).await?;
    assert_eq!(inbox.mails().len(), 2);
    assert_eq!(
        put("x@example.com", json!({ "mode": "explode" })).await?,
        422
    );
    Ok(())
}

#[tokio::test]
async fn keeps_a_mail_whose_sender_is_never_told() -> Result<()> {
    let (inbox, sender) = start().await?;
    let fault = MailFault {
        mode: MailFaultMode::DropAfterData,
        times: Some(1),
    };
    inbox.set_fault("ana@example.com", fault);
    assert!(
        sender
            .send(text_mail("ana@example.com", "x")?)
            .await
            .is_err()
    );
    assert_eq!(inbox.mails_to("ana@example.com").len(), 1);
    sender.send(text_mail("ana@example.com", "x")?).await?;
    assert_eq!(inbox.mails_to("ana@example.com").len(), 2);
    Ok(())
}

#[tokio::test]
async fn holds_a_conversation_before_the_mail_or_after_it() -> Result<()> {
    for (mode, kept) in [
        (MailFaultMode::HoldBeforeData, 0),
        (MailFaultMode::HoldAfterData, 1),
    ] {
        let (inbox, sender) = start().await?;
        let fault = MailFault {
            mode,
            times: Some(1),
        };
        inbox.set_fault("Ana@example.com", fault);
        let mail = text_mail("ana@example.com", "x")?;
        let released = async {
            inbox.wait_until_held("ana@example.com", PATIENCE).await?;
            assert_eq!(inbox.mails().len(), kept, "{mode:?}");
            assert_eq!(inbox.release("ana@example.com"), 1);
            anyhow::Ok(())
        };
        let sent = async { anyhow::Ok(sender.send(mail).await.map(drop)?) };
        futures::try_join!(sent, released)?;
        assert_eq!(inbox.mails().len(), 1, "{mode:?}");
        assert_eq!(inbox.release("ana@example.com"), 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_sender_that_leaves_is_held_no_longer() -> Result<()> {
    let announced = "EHLO me\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<ana@example.com>\r\n";
    let sent = format!("{announced}DATA\r\nhello\r\n.\r\n");
    for (mode, said, kept) in [
        (MailFaultMode::HoldBeforeData, announced, 0),
        (MailFaultMode::HoldAfterData, &sent, 1),
    ] {
        let (inbox, sender) = start().await?;
        let fault = MailFault {
            mode,
            times: Some(1),
        };
        inbox.set_fault("ana@example.com", fault);
        let mut stream = TcpStream::connect(inbox.smtp_address()).await?;
        stream.write_all(said.as_bytes()).await?;
        inbox.wait_until_held("ana@example.com", PATIENCE).await?;
        drop(stream);
        // What nobody waits for any more: a short wait fails once the inbox has noticed.
        let noticed = async {
            let short = Duration::from_millis(10);
            let address = "ana@example.com";
            while inbox.wait_until_held(address, short).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, noticed).await?;
        assert_eq!(inbox.mails().len(), kept, "{mode:?}");
        sender.send(text_mail("ana@example.com", "x")?).await?;
        assert_eq!(inbox.mails().len(), kept + 1, "{mode:?}");
    }
    Ok(())
}

#[tokio::test]
async fn takes_a_login_and_asks_for_it_when_told_to() -> Result<()> {
    let credentials = Credentials::new("user".to_owned(), "pass".to_owned());
    let logging_in = |address: SocketAddr| {
        Sender::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .credentials(credentials.clone())
            .build()
    };
    let (open, _sender) = start().await?;
    logging_in(open.smtp_address())
        .send(text_mail("a@x.example", "x")?)
        .await?;
    let login = |password: &str| Login {
        name: "user".to_owned(),
        password: password.to_owned(),
    };
    for (password, accepted) in [("pass", true), ("other", false)] {
        let options = InboxOptions {
            login: Some(login(password)),
            ..InboxOptions::default()
        };
        let inbox = Inbox::start(options).await?;
        let known = logging_in(inbox.smtp_address());
        let sent = known.send(text_mail("a@x.example", "x")?).await;
        assert_eq!(sent.is_ok(), accepted);
        let anonymous = sender(inbox.smtp_address());
        assert!(
            anonymous
                .send(text_mail("a@x.example", "x")?)
                .await
                .is_err()
        );
    }
    Ok(())
}

#[tokio::test]
async fn refuses_what_is_too_big_and_goes_on() -> Result<()> {
    let options = InboxOptions {
        largest_mail: 10_000,
        ..InboxOptions::default()
    };
    let inbox = Inbox::start(options).await?;
    let sender = sender(inbox.smtp_address());
    let refused = sender.send(report_mail(&vec![7; 20_000])?).await;
    assert!(refused.err().context("refused")?.is_permanent());
    sender.send(text_mail("a@x.example", "x")?).await?;
    assert_eq!(inbox.mails().len(), 1);
    Ok(())
}

#[tokio::test]
async fn stops_when_it_is_dropped() -> Result<()> {
    let (inbox, sender) = start().await?;
    sender.send(text_mail("a@x.example", "x")?).await?;
    let (smtp, url) = (inbox.smtp_address(), inbox.url().to_owned());
    drop(inbox);
    let gone = async {
        // The ports are given up as soon as the runtime has dropped the aborted tasks.
        while TcpStream::connect(smtp).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await?;
    assert!(http()?.get(url).send().await.is_err());
    Ok(())
}
