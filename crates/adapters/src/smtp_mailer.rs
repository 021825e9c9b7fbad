//! Mail over SMTP.
//!
//! The conversation is lettre's, the connections are ours. lettre's own pooled transport bounds
//! only the connecting, never the conversation, and puts a connection back into its pool when a
//! send is abandoned half way; the next mail then reads the answers to the last one, and can be
//! reported as sent before the relay has taken it. Here every step has its time, and only a
//! connection whose mail was taken is used again.
//!
//! The mail itself is the last step, so what can be told apart is what matters: a connection lost
//! before it means that nothing was sent, and one lost in it that the mail may have been taken.

mod message;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lettre::address::{Address, Envelope};
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands;
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use partner_core::ports::mailer::{Mail, Mailer, MailerError};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// How long an idle connection may take to prove that it is alive: a router that has forgotten it
/// answers nothing at all, and must not use up the time for a new one.
const IDLE_CHECK: Duration = Duration::from_secs(2);

/// Where the mail relay is and how to talk to it.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// The relay's host name or address.
    pub host: String,
    /// Its port: usually 587 for `starttls`, 465 for `implicit`.
    pub port: u16,
    /// How the conversation is encrypted.
    pub tls: SmtpTls,
    /// The login, together with `password`; without one, nobody logs in.
    pub username: Option<String>,
    /// The login's password.
    pub password: Option<SecretString>,
    /// The sender: `Name <name@domain>` or `name@domain`.
    pub from: String,
    /// The most that each step may take: connecting up to the login, announcing a mail, and handing
    /// it over.
    pub timeout: Duration,
    /// How many connections are kept open for the next mails.
    pub pool_size: usize,
}

/// How the conversation with the relay is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Not at all: for a relay on this machine.
    None,
    /// From the `STARTTLS` command on, which the relay must offer.
    Starttls,
    /// From the first byte on.
    Implicit,
}

/// Why a mailer cannot be built.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SmtpConfigError {
    /// The sender is not an address.
    #[error("SMTP from {from:?} is not `Name <name@domain>` in ASCII: {reason}")]
    From {
        /// What was given.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// One half of a login.
    #[error("SMTP username and password go together, but only the {0} is set")]
    HalfALogin(&'static str),
    /// The password would travel in the clear.
    #[error(
        "SMTP with tls = none would send the password to {0} in the clear, use starttls or implicit"
    )]
    PlainPassword(String),
    /// TLS cannot be set up, such as without any trusted certificate on this machine.
    #[error("SMTP TLS cannot be set up: {0}")]
    Tls(String),
}

/// A mail relay.
pub struct SmtpMailer {
    host: String,
    port: u16,
    encryption: Encryption,
    login: Option<Credentials>,
    from: Mailbox,
    hello: ClientId,
    timeout: Duration,
    pool_size: usize,
    /// Logged in, and in between two mails.
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

/// [`SmtpTls`] with what it takes.
enum Encryption {
    None,
    Starttls(TlsParameters),
    Implicit(TlsParameters),
}

impl SmtpMailer {
    /// A mailer that hands its mails to this relay. Connects with the first mail.
    ///
    /// # Errors
    /// [`SmtpConfigError`] names what is wrong with the configuration.
    pub fn new(config: SmtpConfig) -> Result<Self, SmtpConfigError> {
        let from = sender(&config.from)?;
        let login = login(&config)?;
        let parameters = || {
            TlsParameters::new(config.host.clone())
                .map_err(|error| SmtpConfigError::Tls(error.to_string()))
        };
        let encryption = match config.tls {
            SmtpTls::None => Encryption::None,
            SmtpTls::Starttls => Encryption::Starttls(parameters()?),
            SmtpTls::Implicit => Encryption::Implicit(parameters()?),
        };
        Ok(Self {
            hello: ClientId::Domain(from.email.domain().to_owned()),
            host: config.host,
            port: config.port,
            encryption,
            login,
            from,
            timeout: config.timeout,
            pool_size: config.pool_size,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// A connection that is logged in: an idle one that still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        while let Some(mut connection) = self.take_idle() {
            let check = tokio::time::timeout(IDLE_CHECK, connection.test_connected());
            if check.await.unwrap_or(false) {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let implicit = match &self.encryption {
            Encryption::Implicit(parameters) => Some(parameters.clone()),
            Encryption::None | Encryption::Starttls(_) => None,
        };
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            Some(self.timeout),
            &self.hello,
            implicit,
            None,
        )
        .await?;
        if let Encryption::Starttls(parameters) = &self.encryption {
            // Fails if the relay does not offer it: nothing is ever sent in the clear instead.
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }

    /// Bounds a step in time. `otherwise` says what a failure that is not the relay's own refusal
    /// means at this step.
    async fn step<T>(
        &self,
        step: impl Future<Output = Result<T, SmtpError>>,
        otherwise: fn(String) -> MailerError,
    ) -> Result<T, MailerError> {
        match tokio::time::timeout(self.timeout, step).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) if error.is_permanent() => Err(MailerError::Refused(error.to_string())),
            Ok(Err(error)) if error.is_transient() => Err(MailerError::Deferred(error.to_string())),
            Ok(Err(error)) => Err(otherwise(error.to_string())),
            Err(_) => Err(otherwise(format!(
                "{}:{} did not answer within {:?}",
                self.host, self.port, self.timeout
            ))),
        }
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        self.idle().pop()
    }

    fn keep_idle(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle();
        if idle.len() < self.pool_size {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<AsyncSmtpConnection>> {
        // Nothing panics while it holds the lock, and a list is never half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("from", &self.from.to_string())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        let message = message::build(&self.from, mail)?;
        let (envelope, content) = (message.envelope(), message.formatted());
        let mut connection = self
            .step(self.connection(), MailerError::Unreachable)
            .await?;
        let parameters = parameters(&connection, envelope, &content)?;
        self.step(
            announce(&mut connection, envelope, parameters),
            MailerError::Unreachable,
        )
        .await?;
        self.step(connection.message(&content), MailerError::ConnectionLost)
            .await?;
        // Whatever went wrong, or was abandoned, left its connection in the middle of a
        // conversation; only this one is at its end.
        self.keep_idle(connection);
        Ok(())
    }
}

/// Says who writes to whom. The relay agrees to take the mail, and has nothing of it yet.
async fn announce(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    parameters: Vec<MailParameter>,
) -> Result<(), SmtpError> {
    let sender = envelope.from().cloned();
    connection
        .command(commands::Mail::new(sender, parameters))
        .await?;
    for recipient in envelope.to() {
        let recipient = commands::Rcpt::new(recipient.clone(), Vec::new());
        connection.command(recipient).await?;
    }
    connection.command(commands::Data).await?;
    Ok(())
}

/// What the relay has to be able to do for this mail: nothing, unless an address is not ASCII.
fn parameters(
    connection: &AsyncSmtpConnection,
    envelope: &Envelope,
    content: &[u8],
) -> Result<Vec<MailParameter>, MailerError> {
    let is_ascii = |address: &Address| address.to_string().is_ascii();
    if content.is_ascii() && envelope.to().iter().all(is_ascii) {
        return Ok(Vec::new());
    }
    let relay = connection.server_info();
    if relay.supports_feature(Extension::SmtpUtfEight) {
        let eight_bits = MailParameter::Body(MailBodyParameter::EightBitMime);
        return Ok(vec![MailParameter::SmtpUtfEight, eight_bits]);
    }
    Err(MailerError::Refused(
        "the recipient's address is not ASCII, and the relay takes no others".to_owned(),
    ))
}

fn sender(from: &str) -> Result<Mailbox, SmtpConfigError> {
    let invalid = |reason: String| SmtpConfigError::From {
        from: from.to_owned(),
        reason,
    };
    let mailbox: Mailbox = from.parse().map_err(|error| invalid(format!("{error}")))?;
    if !mailbox.email.to_string().is_ascii() {
        return Err(invalid("its address is not ASCII".to_owned()));
    }
    Ok(mailbox)
}

fn login(config: &SmtpConfig) -> Result<Option<Credentials>, SmtpConfigError> {
    let (username, password) = match (&config.username, &config.password) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(SmtpConfigError::HalfALogin("username")),
        (None, Some(_)) => return Err(SmtpConfigError::HalfALogin("password")),
        (Some(username), Some(password)) => (username, password),
    };
    if config.tls == SmtpTls::None && !is_loopback(&config.host) {
        return Err(SmtpConfigError::PlainPassword(config.host.clone()));
    }
    let password = password.expose_secret().to_owned();
    Ok(Some(Credentials::new(username.clone(), password)))
}

fn is_loopback(host: &str) -> bool {
    let is_loopback_address = |address: IpAddr| address.is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback_address)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread::{self, JoinHandle};

    use partner_core::contact::EmailAddress;

    use super::*;
    use crate::testing::{LONG, SHORT, closed_port};

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
        SmtpMailer::new(config).unwrap().send(&mail()).await
    }

    #[tokio::test]
    async fn a_mail_is_handed_over() {
        let relay = relay(&[&[GREETING, EHLO, OK, OK, GO_AHEAD, OK]]);
        let mailer = SmtpMailer::new(config(relay.port)).unwrap();
        mailer.send(&mail()).await.unwrap();
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
            mailer.send(&mail()).await.unwrap();
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
        let abandoned = tokio::time::timeout(SHORT, mailer.send(&mail())).await;
        assert!(abandoned.is_err());
        mailer.send(&mail()).await.unwrap();
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
            let sent = mailer.send(&mail).await;
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
        mailer.send(&mail()).await.unwrap();
        drop(mailer);
        // Base64 of "\0ana\0hunter2".
        assert_eq!(
            relay.heard.join().unwrap()[0][1],
            "AUTH PLAIN AGFuYQBodW50ZXIy"
        );
    }

    #[tokio::test]
    async fn a_permanent_refusal_is_refused_at_every_step() {
        for scripts in [
            [&["554 go away"] as Script].as_slice(),
            &[&[GREETING, EHLO, "550 no such sender"]],
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
            .send(&mail())
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
        let sent = mailer.send(&mail()).await;
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
        let sent = SmtpMailer::new(config).unwrap().send(&mail()).await;
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
}
