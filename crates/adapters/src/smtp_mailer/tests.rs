//! Against a relay that says what each test's script has.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use partner_core::contact::EmailAddress;
use partner_core::ports::hand_over::Withheld;

use super::*;
use crate::testing::{LONG, SHORT, Unrecorded, closed_port};

/// What the relay says at each step of one connection, in order; the greeting is the first.
type Script = &'static [&'static str];

/// Closes the connection instead of saying something.
const HANG_UP: &str = "";
/// Says nothing and waits for the other side to hang up.
const SILENCE: &str = "...";

const GREETING: &str = "220 relay ready";
const EHLO: &str = "250 relay";
const OK: &str = "250 ok";
const GO_AHEAD: &str = "354 go ahead";

struct Relay {
    port: u16,
    /// What was said to it, by connection.
    heard: JoinHandle<Vec<Vec<String>>>,
}

/// Serves as many connections as there are scripts, one after the other.
fn relay(scripts: &[Script]) -> Relay {
    let scripts = scripts.to_vec();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = thread::spawn(move || {
        scripts
            .iter()
            .map(|script| converse(&listener.accept().unwrap().0, script))
            .collect()
    });
    Relay { port, heard }
}

fn converse(mut stream: &TcpStream, script: Script) -> Vec<String> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut heard = Vec::new();
    let mut said = "";
    for &line in script {
        if !said.is_empty() {
            let end = if said == GO_AHEAD { "." } else { "" };
            heard.extend(command(&mut lines, end));
        }
        match line {
            HANG_UP => return heard,
            SILENCE => break,
            line => write!(stream, "{line}\r\n").unwrap(),
        }
        said = line;
    }
    // The rest, up to where the other side hangs up.
    heard.extend(lines);
    heard
}

/// One line, or a whole mail up to its lonely dot.
fn command(lines: &mut impl Iterator<Item = String>, end: &str) -> Vec<String> {
    if end.is_empty() {
        return lines.next().into_iter().collect();
    }
    lines.take_while(|line| line != end).collect()
}

fn config(port: u16) -> SmtpConfig {
    SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port,
        tls: SmtpTls::None,
        username: None,
        password: None,
        from: "Partner <hello@partner.example>".to_owned(),
        timeout: LONG,
        pool_size: 1,
    }
}

fn mail() -> Mail {
    Mail {
        message_id: "welcome-1".to_owned(),
        to: EmailAddress::parse("ana@example.com").unwrap(),
        subject: "Welcome".to_owned(),
        html: "<p>Hi</p>".to_owned(),
        text: "Hi".to_owned(),
        attachments: Vec::new(),
    }
}

/// Sends a mail to a relay with this one script.
async fn send(scripts: &[Script], timeout: Duration) -> Result<(), MailerError> {
    let config = SmtpConfig {
        timeout,
        ..config(relay(scripts).port)
    };
    SmtpMailer::new(config)
        .unwrap()
        .send(&mail(), &Unrecorded)
        .await
}

/// A gate that counts who passes it, and may be closed.
#[derive(Default)]
struct Gate {
    passed: AtomicUsize,
    is_closed: bool,
}

impl Gate {
    fn closed() -> Self {
        Self {
            is_closed: true,
            ..Self::default()
        }
    }

    fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl HandOver for Gate {
    async fn hand_over(&self) -> Result<(), Withheld> {
        self.passed.fetch_add(1, Ordering::Relaxed);
        if self.is_closed {
            return Err(Withheld("another attempt took over".to_owned()));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_mail_that_is_withheld_leaves_no_byte_and_its_connection_is_not_used_again() {
    let relay = relay(&[
        &[GREETING, EHLO, OK, OK, GO_AHEAD],
        &[GREETING, EHLO, OK, OK, GO_AHEAD, OK],
    ]);
    let mailer = SmtpMailer::new(config(relay.port)).unwrap();
    let error = mailer.send(&mail(), &Gate::closed()).await.unwrap_err();
    assert!(matches!(error, MailerError::Withheld(_)), "{error:?}");
    assert!(!error.outcome_is_unknown());
    mailer.send(&mail(), &Gate::default()).await.unwrap();
    drop(mailer);
    let heard = relay.heard.join().unwrap();
    assert_eq!(heard[0].last().map(String::as_str), Some("DATA"));
    assert_eq!(heard[0].len(), 4, "{heard:?}");
    assert!(heard[1].len() > 4, "{heard:?}");
}

#[tokio::test]
async fn the_gate_is_passed_once_per_mail_whatever_becomes_of_it() {
    for scripts in [
        [&[GREETING, EHLO, OK, OK, GO_AHEAD, OK] as Script].as_slice(),
        &[&[GREETING, EHLO, OK, OK, GO_AHEAD, "451 try later"]],
        &[&[GREETING, EHLO, OK, OK, GO_AHEAD, "554 is spam"]],
        &[&[GREETING, EHLO, OK, OK, GO_AHEAD, HANG_UP]],
    ] {
        let gate = Gate::default();
        let mailer = SmtpMailer::new(config(relay(scripts).port)).unwrap();
        let _sent = mailer.send(&mail(), &gate).await;
        assert_eq!(gate.passed(), 1, "{scripts:?}");
    }
}

#[tokio::test]
async fn a_relay_that_does_not_ask_for_the_mail_never_opens_the_gate() {
    for scripts in [
        [&["554 go away"] as Script].as_slice(),
        &[&[GREETING, EHLO, "550 no such sender"]],
        &[&[GREETING, EHLO, OK, "550 no such user"]],
        &[&[GREETING, EHLO, OK, "450 greylisted"]],
        &[&[GREETING, EHLO, OK, OK, "554 no data"]],
        &[&[GREETING, EHLO, OK, OK, HANG_UP]],
    ] {
        let gate = Gate::default();
        let mailer = SmtpMailer::new(config(relay(scripts).port)).unwrap();
        let sent = mailer.send(&mail(), &gate).await;
        assert!(sent.is_err(), "{scripts:?}");
        assert_eq!(gate.passed(), 0, "{scripts:?}");
    }
}

#[tokio::test]
async fn a_mail_is_handed_over() {
    let relay = relay(&[&[GREETING, EHLO, OK, OK, GO_AHEAD, OK]]);
    let mailer = SmtpMailer::new(config(relay.port)).unwrap();
    mailer.send(&mail(), &Unrecorded).await.unwrap();
    drop(mailer);
    let heard = relay.heard.join().unwrap().remove(0);
    assert_eq!(
        heard[..4],
        [
            "EHLO partner.example",
            "MAIL FROM:<hello@partner.example>",
            "RCPT TO:<ana@example.com>",
            "DATA",
        ]
    );
    assert!(heard.contains(&"Message-ID: <welcome-1@partner.example>".to_owned()));
}

#[tokio::test]
async fn a_connection_serves_the_next_mail_if_it_still_answers() {
    let relay = relay(&[
        &[
            GREETING, EHLO, OK, OK, GO_AHEAD, OK, OK, OK, OK, GO_AHEAD, OK, HANG_UP,
        ],
        &[GREETING, EHLO, OK, OK, GO_AHEAD, OK],
    ]);
    let mailer = SmtpMailer::new(config(relay.port)).unwrap();
    for _ in 0..3 {
        mailer.send(&mail(), &Unrecorded).await.unwrap();
    }
    drop(mailer);
    let heard = relay.heard.join().unwrap();
    let mails = |connection: &[String]| {
        connection
            .iter()
            .filter(|line| line.starts_with("MAIL"))
            .count()
    };
    assert_eq!((mails(&heard[0]), mails(&heard[1])), (2, 1));
}

#[tokio::test]
async fn an_abandoned_mail_takes_its_connection_along() {
    let relay = relay(&[
        &[GREETING, EHLO, OK, OK, GO_AHEAD, SILENCE],
        &[GREETING, EHLO, OK, OK, GO_AHEAD, OK],
    ]);
    let mailer = SmtpMailer::new(config(relay.port)).unwrap();
    let abandoned = tokio::time::timeout(SHORT, mailer.send(&mail(), &Unrecorded)).await;
    assert!(abandoned.is_err());
    mailer.send(&mail(), &Unrecorded).await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_not_ascii_needs_a_relay_that_reads_it() {
    let scripts: [(&[Script], &str); 2] = [
        (
            &[&[
                GREETING,
                "250-relay\r\n250-8BITMIME\r\n250 SMTPUTF8",
                OK,
                OK,
                GO_AHEAD,
                OK,
            ]],
            "MAIL FROM:<hello@partner.example> SMTPUTF8 BODY=8BITMIME",
        ),
        (&[&[GREETING, EHLO]], ""),
    ];
    for (scripts, expected) in scripts {
        let relay = relay(scripts);
        let mailer = SmtpMailer::new(config(relay.port)).unwrap();
        let mail = Mail {
            to: EmailAddress::parse("jürgen@example.com").unwrap(),
            ..mail()
        };
        let sent = mailer.send(&mail, &Unrecorded).await;
        drop(mailer);
        let heard = relay.heard.join().unwrap().remove(0);
        match sent {
            Ok(()) => assert_eq!(heard[1], expected),
            Err(MailerError::Refused(_)) => assert_eq!(heard.len(), 1, "{heard:?}"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_login_is_used() {
    let relay = relay(&[&[
        GREETING,
        "250-relay\r\n250 AUTH PLAIN",
        "235 welcome",
        OK,
        OK,
        GO_AHEAD,
        OK,
    ]]);
    let config = SmtpConfig {
        username: Some("ana".to_owned()),
        password: Some("hunter2".into()),
        ..config(relay.port)
    };
    let mailer = SmtpMailer::new(config).unwrap();
    mailer.send(&mail(), &Unrecorded).await.unwrap();
    drop(mailer);
    // Base64 of "\0ana\0hunter2".
    assert_eq!(
        relay.heard.join().unwrap()[0][1],
        "AUTH PLAIN AGFuYQBodW50ZXIy"
    );
}

#[tokio::test]
async fn a_relay_that_refuses_us_has_not_refused_the_mail() {
    let sent = send(&[&["554 go away"]], LONG).await;
    assert!(matches!(sent, Err(MailerError::Unreachable(_))), "{sent:?}");
}

#[tokio::test]
async fn a_permanent_refusal_is_refused_at_every_step() {
    for scripts in [
        [&[GREETING, EHLO, "550 no such sender"] as Script].as_slice(),
        &[&[GREETING, EHLO, OK, "550 no such user"]],
        &[&[GREETING, EHLO, OK, OK, "554 no data"]],
        &[&[GREETING, EHLO, OK, OK, GO_AHEAD, "554 is spam"]],
    ] {
        let sent = send(scripts, LONG).await;
        assert!(
            matches!(sent, Err(MailerError::Refused(_))),
            "{scripts:?}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn a_transient_refusal_is_deferred_at_every_step() {
    for scripts in [
        [&["421 busy"] as Script].as_slice(),
        &[&[GREETING, EHLO, OK, "450 greylisted"]],
        &[&[GREETING, EHLO, OK, OK, GO_AHEAD, "451 try later"]],
    ] {
        let sent = send(scripts, LONG).await;
        assert!(
            matches!(sent, Err(MailerError::Deferred(_))),
            "{scripts:?}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn a_relay_that_does_not_let_us_in_is_unreachable() {
    for (scripts, timeout) in [
        ([&[HANG_UP] as Script].as_slice(), LONG),
        (&[&[SILENCE]], SHORT),
        (&[&[GREETING, HANG_UP]], LONG),
        (&[&["not SMTP"]], LONG),
        // Lost before the mail itself, so that nothing was sent.
        (&[&[GREETING, EHLO, OK, HANG_UP]], LONG),
        (&[&[GREETING, EHLO, OK, OK, SILENCE]], SHORT),
    ] {
        let sent = send(scripts, timeout).await;
        assert!(
            matches!(sent, Err(MailerError::Unreachable(_))),
            "{scripts:?}: {sent:?}"
        );
    }
    let sent = SmtpMailer::new(config(closed_port().port()))
        .unwrap()
        .send(&mail(), &Unrecorded)
        .await;
    assert!(matches!(sent, Err(MailerError::Unreachable(_))), "{sent:?}");
}

#[tokio::test]
async fn a_relay_without_starttls_gets_nothing() {
    let relay = relay(&[&[GREETING, EHLO]]);
    let config = SmtpConfig {
        tls: SmtpTls::Starttls,
        username: Some("ana".to_owned()),
        password: Some("hunter2".into()),
        ..config(relay.port)
    };
    let mailer = SmtpMailer::new(config).unwrap();
    let sent = mailer.send(&mail(), &Unrecorded).await;
    assert!(matches!(sent, Err(MailerError::Unreachable(_))), "{sent:?}");
    assert_eq!(relay.heard.join().unwrap()[0], ["EHLO partner.example"]);
}

#[tokio::test]
async fn a_relay_that_does_not_speak_tls_is_unreachable() {
    let relay = relay(&[&["220 plain text"]]);
    let config = SmtpConfig {
        tls: SmtpTls::Implicit,
        ..config(relay.port)
    };
    let sent = SmtpMailer::new(config)
        .unwrap()
        .send(&mail(), &Unrecorded)
        .await;
    assert!(matches!(sent, Err(MailerError::Unreachable(_))), "{sent:?}");
}

#[tokio::test]
async fn a_connection_lost_with_the_mail_under_way_leaves_the_outcome_open() {
    for (scripts, timeout) in [
        (
            [&[GREETING, EHLO, OK, OK, GO_AHEAD, HANG_UP] as Script].as_slice(),
            LONG,
        ),
        (&[&[GREETING, EHLO, OK, OK, GO_AHEAD, SILENCE]], SHORT),
    ] {
        let error = send(scripts, timeout).await.unwrap_err();
        assert!(
            matches!(error, MailerError::ConnectionLost(_)),
            "{scripts:?}: {error:?}"
        );
        assert!(error.outcome_is_unknown());
    }
}

#[test]
fn a_password_never_travels_in_the_clear_to_another_machine() {
    for (host, is_fine) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("mail.example.com", false),
        ("10.0.0.7", false),
        ("localhost.example.com", false),
    ] {
        let config = SmtpConfig {
            host: host.to_owned(),
            username: Some("ana".to_owned()),
            password: Some("hunter2".into()),
            ..config(25)
        };
        match SmtpMailer::new(config) {
            Ok(_) => assert!(is_fine, "{host}"),
            Err(error) => {
                assert!(!is_fine, "{host}");
                assert!(error.to_string().contains("in the clear"), "{error}");
                assert!(
                    !format!("{error} {error:?}").contains("hunter2"),
                    "{error:?}"
                );
            }
        }
    }
}

#[test]
fn half_a_login_and_a_sender_that_is_none_are_named() {
    type Break = fn(&mut SmtpConfig);
    let broken: [(Break, &str); 5] = [
        (
            |config| config.username = Some("ana".to_owned()),
            "only the username",
        ),
        (
            |config| config.password = Some("hunter2".into()),
            "only the password",
        ),
        (|config| config.from = "Partner".to_owned(), "is not `Name"),
        (
            |config| config.from = "P <a@b>\r\nBcc: <c@d.e>".to_owned(),
            "is not `Name",
        ),
        (
            |config| config.from = "hello@pärtner.example".to_owned(),
            "ASCII",
        ),
    ];
    for (break_it, expected) in broken {
        let mut config = config(25);
        break_it(&mut config);
        let error = SmtpMailer::new(config).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_password_never_shows() {
    let config = SmtpConfig {
        username: Some("ana".to_owned()),
        password: Some("hunter2".into()),
        ..config(25)
    };
    let shown = format!("{config:?} {:?}", SmtpMailer::new(config.clone()).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn encryption_is_spelled_in_lower_case() {
    for (tls, spelling) in [
        (SmtpTls::None, "\"none\""),
        (SmtpTls::Starttls, "\"starttls\""),
        (SmtpTls::Implicit, "\"implicit\""),
    ] {
        assert_eq!(serde_json::to_string(&tls).unwrap(), spelling);
    }
}
