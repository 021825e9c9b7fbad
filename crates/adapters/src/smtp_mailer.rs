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
use partner_core::ports::hand_over::HandOver;
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

    /// Whether the relay answers and lets us in. Nothing is sent.
    ///
    /// # Errors
    /// [`MailerError::Unreachable`] or [`MailerError::Deferred`], with the relay's words.
    pub async fn check(&self) -> Result<(), MailerError> {
        let connected = self.step(self.connection(), MailerError::Unreachable);
        self.keep_idle(connected.await.map_err(not_about_the_mail)?);
        Ok(())
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
    async fn send(&self, mail: &Mail, gate: &dyn HandOver) -> Result<(), MailerError> {
        let message = message::build(&self.from, mail)?;
        let (envelope, content) = (message.envelope(), message.formatted());
        let connected = self.step(self.connection(), MailerError::Unreachable);
        let mut connection = connected.await.map_err(not_about_the_mail)?;
        let parameters = parameters(&connection, envelope, &content)?;
        self.step(
            announce(&mut connection, envelope, parameters),
            MailerError::Unreachable,
        )
        .await?;
        gate.hand_over().await?;
        self.step(connection.message(&content), MailerError::ConnectionLost)
            .await?;
        // Whatever went wrong, or was abandoned, left its connection in the middle of a
        // conversation; only this one is at its end.
        self.keep_idle(connection);
        Ok(())
    }
}

/// A relay that refuses us, by its greeting or at the login, has said nothing of the mail.
fn not_about_the_mail(error: MailerError) -> MailerError {
    match error {
        MailerError::Refused(reason) => MailerError::Unreachable(reason),
        other => other,
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
mod tests;
