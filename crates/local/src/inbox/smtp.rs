//! The SMTP conversation: mailin's state machine, and what it leaves out.
//!
//! mailin knows the commands and their order. Around it, this file announces the extensions
//! (PIPELINING, SIZE, SMTPUTF8, AUTH), accepts logins that are offered but not needed, takes
//! the parameters off `MAIL` and `RCPT` that mailin does not parse, and puts the conversation back
//! on its feet after a mail was refused at its end, where mailin would go on reading data.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::{Either, pending, select};
use mailin::{Action, Handler, Response, Session, SessionBuilder, response};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::Login;
use super::store::{Delivery, MailFaultMode, Store};
use crate::loopback::lock;

const SERVER_NAME: &str = "inbox.localhost";
/// Far above what SMTP allows (1,000 bytes), so that careless senders are read, too.
const LONGEST_LINE: u64 = 1024 * 1024;
/// What RFC 5321 tells servers to wait for a client.
const IDLE_LIMIT: Duration = Duration::from_mins(5);

/// What the server asks of its senders.
#[derive(Debug)]
pub(super) struct SmtpRules {
    pub(super) login: Option<Login>,
    pub(super) largest_mail: usize,
}

/// What the server does with a line.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Says nothing; more lines follow.
    Silence,
    /// Answers.
    Reply(Vec<u8>),
    /// Answers and closes.
    Close(Vec<u8>),
    /// Closes without an answer.
    HangUp,
}

/// What a fault asks for besides the answer.
#[derive(Debug, Default)]
struct Detour {
    /// Closes the connection in place of the answer.
    hangs_up: bool,
    /// Answers when this recipient is released.
    holds: Option<String>,
}

/// Where a login stands.
#[derive(Debug)]
enum Auth {
    LoggedOut,
    /// Waiting for the response of `AUTH PLAIN`.
    Plain,
    /// Waiting for the name of `AUTH LOGIN`.
    LoginName,
    /// Waiting for the password of `AUTH LOGIN`.
    LoginPassword(String),
    LoggedIn,
}

/// One client's conversation.
pub(super) struct Conversation {
    session: Session<Recorder>,
    store: Arc<Store>,
    rules: Arc<SmtpRules>,
    auth: Auth,
    /// Whether lines are data, which must reach mailin untouched.
    in_data: bool,
    /// The client's greeting, said again to a fresh session.
    hello: Vec<u8>,
    detour: Arc<Mutex<Detour>>,
}

/// Talks to one client until it leaves.
pub(super) async fn talk(mut stream: TcpStream, mut conversation: Conversation) {
    // The client going away is its own business, and the end of the conversation.
    if let Err(error) = converse(&mut stream, &mut conversation).await {
        tracing::debug!(%error, "mail client left");
    }
}

async fn converse(stream: &mut TcpStream, conversation: &mut Conversation) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let greeting = conversation.session.greeting().buffer()?;
    writer.write_all(&greeting).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut line);
        tokio::time::timeout(IDLE_LIMIT, read).await??;
        if line.is_empty() {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            return writer.write_all(b"500 5.5.2 Line too long\r\n").await;
        }
        let answer = conversation.answer(&line)?;
        if let Some(recipient) = conversation.held() {
            let released = pin!(conversation.store.hold(&recipient));
            if let Either::Right(_left) = select(released, pin!(leaves(&mut reader))).await {
                return Ok(());
            }
        }
        match answer {
            Answer::Silence => {}
            Answer::Reply(text) => writer.write_all(&text).await?,
            Answer::Close(text) => return writer.write_all(&text).await,
            Answer::HangUp => return Ok(()),
        }
    }
}

/// Waits until the client hangs up. One that has said its next commands already is taken to stay:
/// behind them, its leaving does not show.
async fn leaves(reader: &mut (impl AsyncBufRead + Unpin)) {
    let stays = reader.fill_buf().await.is_ok_and(|said| !said.is_empty());
    if stays {
        pending::<()>().await;
    }
}

impl Conversation {
    pub(super) fn new(store: Arc<Store>, rules: Arc<SmtpRules>) -> Self {
        let detour = Arc::default();
        Self {
            session: new_session(&store, &rules, &detour),
            store,
            rules,
            auth: Auth::LoggedOut,
            in_data: false,
            hello: Vec::new(),
            detour,
        }
    }

    /// The recipient whose release the last answer waits for.
    fn held(&self) -> Option<String> {
        lock(&self.detour).holds.take()
    }

    fn answer(&mut self, line: &[u8]) -> std::io::Result<Answer> {
        if self.in_data {
            return self.answer_data(line);
        }
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some(reply) = self.log_in(line) {
            return Ok(Answer::Reply(format!("{reply}\r\n").into_bytes()));
        }
        match self.prepare(line) {
            Ok(command) => self.answer_command(&command),
            Err(reply) => Ok(Answer::Reply(format!("{reply}\r\n").into_bytes())),
        }
    }

    fn answer_command(&mut self, command: &str) -> std::io::Result<Answer> {
        let response = self.session.process(command.as_bytes());
        self.in_data = response.code == response::START_DATA.code;
        let extended = starts_with(command, "EHLO");
        if response.code == response::OK.code && (extended || starts_with(command, "HELO")) {
            command.as_bytes().clone_into(&mut self.hello);
            if extended {
                return Ok(Answer::Reply(self.extensions().into_bytes()));
            }
        }
        said(&response)
    }

    fn answer_data(&mut self, line: &[u8]) -> std::io::Result<Answer> {
        let response = self.session.process(line);
        if response.action == Action::NoReply {
            return Ok(Answer::Silence);
        }
        if lock(&self.detour).hangs_up {
            return Ok(Answer::HangUp);
        }
        self.in_data = false;
        if response.is_error {
            // mailin would take the next command for data.
            self.session = new_session(&self.store, &self.rules, &self.detour);
            self.session.process(&self.hello);
        }
        said(&response)
    }

    fn extensions(&self) -> String {
        format!(
            "250-{SERVER_NAME}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n\
             250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN\r\n",
            self.rules.largest_mail
        )
    }

    /// The command as mailin reads it, or the answer that refuses it.
    fn prepare(&self, line: &str) -> Result<String, String> {
        if let Some((path, parameters)) = path_of(line, "MAIL FROM:") {
            if self.rules.login.is_some() && !matches!(self.auth, Auth::LoggedIn) {
                return Err("530 5.7.0 Authentication required".to_owned());
            }
            if announced_size(parameters) > self.rules.largest_mail {
                return Err(too_big(self.rules.largest_mail));
            }
            let path = if path.is_empty() { NULL_SENDER } else { path };
            return Ok(format!("MAIL FROM:<{path}>\r\n"));
        }
        if let Some((path, _parameters)) = path_of(line, "RCPT TO:") {
            return Ok(format!("RCPT TO:<{path}>\r\n"));
        }
        Ok(format!("{line}\r\n"))
    }

    /// The answer to a line that is part of a login; `None` if it is not.
    fn log_in(&mut self, line: &str) -> Option<String> {
        match std::mem::replace(&mut self.auth, Auth::LoggedOut) {
            Auth::Plain => Some(self.check_plain(line)),
            Auth::LoginName => Some(self.ask_password(line)),
            Auth::LoginPassword(name) => Some(self.check(&name, &decoded(line))),
            before @ (Auth::LoggedOut | Auth::LoggedIn) => {
                self.auth = before;
                self.start_login(line)
            }
        }
    }

    fn start_login(&mut self, line: &str) -> Option<String> {
        let mut words = line.split_ascii_whitespace();
        if !words.next()?.eq_ignore_ascii_case("AUTH") {
            return None;
        }
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        Some(match (mechanism.as_str(), words.next()) {
            ("PLAIN", Some(initial)) => self.check_plain(initial),
            ("PLAIN", None) => {
                self.auth = Auth::Plain;
                "334 ".to_owned()
            }
            ("LOGIN", Some(name)) => self.ask_password(name),
            ("LOGIN", None) => {
                self.auth = Auth::LoginName;
                format!("334 {}", BASE64_STANDARD.encode("Username:"))
            }
            _ => "504 5.5.4 Unknown mechanism".to_owned(),
        })
    }

    fn ask_password(&mut self, name: &str) -> String {
        self.auth = Auth::LoginPassword(decoded(name));
        format!("334 {}", BASE64_STANDARD.encode("Password:"))
    }

    /// `[authorization identity] NUL name NUL password`.
    fn check_plain(&mut self, response: &str) -> String {
        let response = decoded(response);
        let mut fields = response.split('\0').skip(1);
        let name = fields.next().unwrap_or_default();
        self.check(name, fields.next().unwrap_or_default())
    }

    fn check(&mut self, name: &str, password: &str) -> String {
        let accepted = self
            .rules
            .login
            .as_ref()
            .is_none_or(|login| login.name == name && login.password == password);
        if accepted {
            self.auth = Auth::LoggedIn;
            return "235 2.7.0 Authentication succeeded".to_owned();
        }
        self.auth = Auth::LoggedOut;
        "535 5.7.8 Invalid credentials".to_owned()
    }
}

/// Stands for the empty sender of a bounce, which mailin does not parse; no address is like it.
const NULL_SENDER: &str = "@";

fn new_session(
    store: &Arc<Store>,
    rules: &Arc<SmtpRules>,
    detour: &Arc<Mutex<Detour>>,
) -> Session<Recorder> {
    let recorder = Recorder {
        store: Arc::clone(store),
        rules: Arc::clone(rules),
        delivery: Delivery::default(),
        detour: Arc::clone(detour),
    };
    SessionBuilder::new(SERVER_NAME).build(IpAddr::V4(Ipv4Addr::LOCALHOST), recorder)
}

fn said(response: &Response) -> std::io::Result<Answer> {
    let text = response.buffer()?;
    Ok(match response.action {
        Action::Close => Answer::Close(text),
        Action::NoReply => Answer::Silence,
        Action::Reply | Action::UpgradeTls => Answer::Reply(text),
    })
}

fn starts_with(line: &str, command: &str) -> bool {
    let start = line.as_bytes().get(..command.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(command.as_bytes()))
}

/// The address between the angle brackets of `command`, and what follows them.
fn path_of<'l>(line: &'l str, command: &str) -> Option<(&'l str, &'l str)> {
    if !starts_with(line, command) {
        return None;
    }
    let path = line.get(command.len()..)?.trim_start();
    path.strip_prefix('<')?.split_once('>')
}

fn announced_size(parameters: &str) -> usize {
    parameters
        .split_ascii_whitespace()
        .filter(|parameter| starts_with(parameter, "SIZE="))
        .find_map(|parameter| parameter.get(5..)?.parse().ok())
        .unwrap_or_default()
}

fn too_big(largest: usize) -> String {
    format!("552 5.3.4 A mail may have {largest} bytes")
}

fn decoded(base64: &str) -> String {
    let bytes = BASE64_STANDARD.decode(base64.trim()).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Decides about recipients and mails, and keeps what arrives.
struct Recorder {
    store: Arc<Store>,
    rules: Arc<SmtpRules>,
    delivery: Delivery,
    detour: Arc<Mutex<Detour>>,
}

impl Handler for Recorder {
    fn rcpt(&mut self, to: &str) -> Response {
        use MailFaultMode::{Defer, HoldBeforeData, Refuse};
        match self.store.take_fault(to, &[Refuse, Defer, HoldBeforeData]) {
            Some(Refuse) => Response::custom(550, "5.1.1 Mailbox unavailable".to_owned()),
            Some(Defer) => Response::custom(451, "4.3.0 Try again later".to_owned()),
            Some(_) => {
                lock(&self.detour).holds = Some(to.to_owned());
                response::OK
            }
            None => response::OK,
        }
    }

    fn data_start(&mut self, _domain: &str, from: &str, _8bit: bool, to: &[String]) -> Response {
        let from = if from == NULL_SENDER { "" } else { from };
        self.delivery = Delivery {
            from: from.to_owned(),
            to: to.to_vec(),
            raw: Vec::new(),
        };
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> std::io::Result<()> {
        // One byte over the limit is enough to tell at the end that it was too big.
        let room = (self.rules.largest_mail + 1).saturating_sub(self.delivery.raw.len());
        let kept = line.get(..room).unwrap_or(line);
        self.delivery.raw.extend_from_slice(kept);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let delivery = std::mem::take(&mut self.delivery);
        if delivery.raw.len() > self.rules.largest_mail {
            return Response::custom(552, too_big(self.rules.largest_mail)[4..].to_owned());
        }
        let mut detour = Detour::default();
        for to in &delivery.to {
            let modes = [MailFaultMode::DropAfterData, MailFaultMode::HoldAfterData];
            match self.store.take_fault(to, &modes) {
                Some(MailFaultMode::DropAfterData) => detour.hangs_up = true,
                Some(_) => detour.holds = Some(to.clone()),
                None => {}
            }
        }
        self.store.add(delivery);
        *lock(&self.detour) = detour;
        response::OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(login: Option<Login>) -> (Conversation, Arc<Store>) {
        let store = Arc::new(Store::new(10, usize::MAX));
        let rules = Arc::new(SmtpRules {
            login,
            largest_mail: 100,
        });
        (Conversation::new(Arc::clone(&store), rules), store)
    }

    /// Says each line and gives back the code of each answer; 0 is silence, 1 hanging up.
    fn codes(conversation: &mut Conversation, lines: &[&str]) -> Vec<u32> {
        let mut codes = Vec::new();
        for line in lines {
            let line = format!("{line}\r\n");
            codes.push(
                match conversation.answer(line.as_bytes()).expect("an answer") {
                    Answer::Silence => 0,
                    Answer::HangUp => 1,
                    Answer::Reply(text) | Answer::Close(text) => {
                        let text = String::from_utf8(text).expect("text");
                        text[..3].parse().expect("a code")
                    }
                },
            );
        }
        codes
    }

    #[test]
    fn goes_on_after_a_mail_that_was_too_big() {
        let (mut talk, store) = conversation(None);
        let long = "x".repeat(101);
        let mail = [
            "MAIL FROM:<a@x>",
            "RCPT TO:<b@x>",
            "DATA",
            &long,
            ".",
            "RSET",
        ];
        assert_eq!(codes(&mut talk, &["EHLO me"]), [250]);
        assert_eq!(codes(&mut talk, &mail), [250, 250, 354, 0, 552, 250]);
        let mail = [
            "MAIL FROM:<> SIZE=5 BODY=8BITMIME",
            "rcpt to: <b@x> NOTIFY=NEVER",
            "DATA",
            "..",
            ".",
        ];
        assert_eq!(codes(&mut talk, &mail), [250, 250, 354, 0, 250]);
        let mails = store.matching(|_| true);
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].envelope_from, "");
        assert_eq!(mails[0].raw, b".\r\n");
    }

    #[test]
    fn refuses_a_mail_that_announces_too_much() {
        let (mut talk, _store) = conversation(None);
        let lines = [
            "EHLO me",
            "MAIL FROM:<a@x> SIZE=101",
            "MAIL FROM:<a@x> SIZE=100",
        ];
        assert_eq!(codes(&mut talk, &lines), [250, 552, 250]);
    }

    #[test]
    fn asks_for_the_login_that_it_was_given() {
        let login = Login {
            name: "user".into(),
            password: "pass".into(),
        };
        let (mut talk, _store) = conversation(Some(login));
        let wrong = format!("AUTH PLAIN {}", BASE64_STANDARD.encode("\0user\0wrong"));
        let lines = ["EHLO me", "MAIL FROM:<a@x>", &wrong, "AUTH NTLM"];
        assert_eq!(codes(&mut talk, &lines), [250, 530, 535, 504]);
        let (name, password) = (
            BASE64_STANDARD.encode("user"),
            BASE64_STANDARD.encode("pass"),
        );
        let lines = [
            "AUTH LOGIN",
            &name,
            &password,
            "MAIL FROM:<a@x>",
            "RSET",
            "MAIL FROM:<a@x>",
        ];
        assert_eq!(codes(&mut talk, &lines), [334, 334, 235, 250, 250, 250]);
    }

    #[test]
    fn hangs_up_after_the_mail_is_kept() {
        let (mut talk, store) = conversation(None);
        let fault = super::super::MailFault {
            mode: MailFaultMode::DropAfterData,
            times: Some(1),
        };
        store.set_fault("B@x", fault);
        let lines = [
            "EHLO me",
            "MAIL FROM:<a@x>",
            "RCPT TO:<b@x>",
            "DATA",
            "hi",
            ".",
        ];
        assert_eq!(codes(&mut talk, &lines), [250, 250, 250, 354, 0, 1]);
        assert_eq!(store.matching(|_| true).len(), 1);
    }
}
