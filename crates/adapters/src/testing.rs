//! Servers that misbehave below HTTP and a gate that is always open, for the adapters' tests.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use partner_core::ports::hand_over::{HandOver, Withheld};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use url::Url;

/// What a server does with the one request of every connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Misbehaviour {
    /// Reads it and closes the connection.
    Drop,
    /// Announces a body and closes the connection in the middle of it.
    HalfAnAnswer,
    /// Reads it and never answers.
    Silence,
}

/// Starts such a server. Its thread ends with the test process.
pub(crate) fn misbehaving_server(misbehaviour: Misbehaviour) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            misbehave(stream.unwrap(), misbehaviour);
        }
    });
    http_at(address)
}

/// An address at which nothing listens, and which no other test is given.
pub(crate) fn closed_port() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    // Bound but not listening, for as long as the tests run.
    std::mem::forget(socket);
    address
}

/// The base URL of a service at an address.
pub(crate) fn http_at(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).unwrap()
}

/// Short enough for a test that waits for it, long enough for a busy machine to connect.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

fn misbehave(mut stream: TcpStream, misbehaviour: Misbehaviour) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    match misbehaviour {
        Misbehaviour::Drop => {}
        Misbehaviour::HalfAnAnswer => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":");
        }
        // Waits for the client to give up and close.
        Misbehaviour::Silence => while stream.read(&mut request).is_ok_and(|read| read > 0) {},
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// A payment intent of 5 EUR as Stripe writes it, with its charge expanded.
pub(crate) fn intent(id: &str, status: &str, reference: &str) -> Value {
    json!({
        "id": id,
        "object": "payment_intent",
        "amount": 500,
        "currency": "eur",
        "status": status,
        "metadata": {"reference": reference},
        "last_payment_error": null,
        "latest_charge": match status {
            "succeeded" => json!({"id": "ch_1", "amount_refunded": 0}),
            _ => Value::Null,
        },
    })
}

/// A gate that is always open, and keeps no books.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unrecorded;

#[async_trait]
impl HandOver for Unrecorded {
    async fn hand_over(&self) -> Result<(), Withheld> {
        Ok(())
    }
}
