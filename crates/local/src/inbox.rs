//! The inbox of the embedded platform: a real SMTP server whose mails a person can open in a
//! browser and a test can read, attachments included.
//!
//! Nothing is ever sent on. Mails are kept in memory, the newest ones only, and are gone when the
//! inbox is dropped. Faults by recipient let a test see what the platform does when a mailbox
//! refuses, defers, or takes a mail without saying so.

mod smtp;
mod store;
mod web;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

pub use store::{Attachment, Mail, MailFault, MailFaultMode};

use crate::loopback::{DeadlinePassed, StartError, accept, listen, serve_http};
use smtp::{Conversation, SmtpRules};
use store::Store;

/// How the inbox is started.
#[derive(Debug, Clone)]
pub struct InboxOptions {
    /// The port of the SMTP server; 0 takes a free one.
    pub smtp_port: u16,
    /// The port of the web pages and the JSON API; 0 takes a free one.
    pub http_port: u16,
    /// The name and password that senders must log in with; without them any login is accepted
    /// and none is needed.
    pub login: Option<Login>,
    /// The largest mail that is accepted, in bytes as sent.
    pub largest_mail: usize,
    /// How many mails are kept; the oldest go first.
    pub kept_mails: usize,
    /// How many bytes of mails are kept; the oldest go first.
    pub kept_bytes: usize,
}

/// A name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl Default for InboxOptions {
    fn default() -> Self {
        Self {
            smtp_port: 0,
            http_port: 0,
            login: None,
            // A report of 50 MB grows by a third in base64, and by its line ends.
            largest_mail: 75 * 1024 * 1024,
            kept_mails: 10_000,
            kept_bytes: 512 * 1024 * 1024,
        }
    }
}

/// A running inbox; it stops when it is dropped.
#[derive(Debug)]
pub struct Inbox {
    store: Arc<Store>,
    smtp_address: SocketAddr,
    url: String,
    _servers: JoinSet<()>,
}

impl Inbox {
    /// Starts the SMTP server and the web pages on loopback.
    pub async fn start(options: InboxOptions) -> Result<Self, StartError> {
        let (smtp, smtp_address) = listen(options.smtp_port).await?;
        let (http, http_address) = listen(options.http_port).await?;
        let store = Arc::new(Store::new(options.kept_mails, options.kept_bytes));
        let rules = Arc::new(SmtpRules {
            login: options.login,
            largest_mail: options.largest_mail,
        });
        let mut servers = JoinSet::new();
        servers.spawn(serve_http(http, web::routes(Arc::clone(&store))));
        let mails = Arc::clone(&store);
        servers.spawn(accept(smtp, move |stream| {
            smtp::talk(
                stream,
                Conversation::new(Arc::clone(&mails), Arc::clone(&rules)),
            )
        }));
        Ok(Self {
            store,
            smtp_address,
            url: format!("http://{http_address}"),
            _servers: servers,
        })
    }

    /// Where mails are delivered to.
    pub const fn smtp_address(&self) -> SocketAddr {
        self.smtp_address
    }

    /// Where the mails can be read, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every mail that is kept, the newest first.
    pub fn mails(&self) -> Vec<Arc<Mail>> {
        self.store.matching(|_mail| true)
    }

    /// The mails that were delivered to `address`, the newest first.
    pub fn mails_to(&self, address: &str) -> Vec<Arc<Mail>> {
        self.store.matching(|mail| mail.is_to(address))
    }

    /// Waits for the first mail that `wanted` accepts, one that is already there included.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Mail) -> bool,
        patience: Duration,
    ) -> Result<Arc<Mail>, DeadlinePassed> {
        let mut mails = self.wait_for_count(1, wanted, patience).await?;
        // The oldest of them is the one that was waited for; there is at least one.
        Ok(mails.remove(mails.len() - 1))
    }

    /// Waits until at least `count` mails are there that `wanted` accepts, the newest first.
    pub async fn wait_for_count(
        &self,
        count: usize,
        wanted: impl Fn(&Mail) -> bool,
        patience: Duration,
    ) -> Result<Vec<Arc<Mail>>, DeadlinePassed> {
        self.store.wait_for_count(count, wanted, patience).await
    }

    /// Lets mails to `address` fail, in place of the fault that it had.
    pub fn set_fault(&self, address: &str, fault: MailFault) {
        self.store.set_fault(address, fault);
    }

    /// Forgets every fault. Mails that are held stay so until they are released.
    pub fn clear_faults(&self) {
        self.store.clear_faults();
    }

    /// Lets the conversations that are held for `address` go on; tells how many there were.
    pub fn release(&self, address: &str) -> usize {
        self.store.release(address)
    }

    /// Waits until a conversation is held for `address`.
    pub async fn wait_until_held(
        &self,
        address: &str,
        patience: Duration,
    ) -> Result<(), DeadlinePassed> {
        self.store.wait_until_held(address, patience).await
    }

    /// Forgets every mail.
    pub fn clear(&self) {
        self.store.clear();
    }
}
