//! Connections, and what becomes of those that are only there.

use std::io::ErrorKind;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{Api, with_api};
use crate::support::{in_time, on_platform};

/// A connection on which nothing was said yet.
async fn connect(api: &Api) -> TcpStream {
    let address = api.url.strip_prefix("http://").expect("an http address");
    TcpStream::connect(address).await.expect("a connection")
}

/// Asks whether the process lives, and leaves the connection open.
async fn ask(stream: &mut TcpStream) {
    let request = b"GET /livez HTTP/1.1\r\nHost: api\r\n\r\n";
    stream.write_all(request).await.expect("it is sent");
}

/// The answer to that.
async fn answer(stream: &mut TcpStream) {
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut piece = [0; 1024];
        let read = in_time("an answer", stream.read(&mut piece)).await;
        let read = read.expect("a piece of the answer");
        assert_ne!(read, 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Waits until the other side has closed the connection, without a word.
async fn closed(mut stream: TcpStream, what: &str) {
    let mut rest = Vec::new();
    let read = in_time(what, stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty(), "{what}: {rest:?}");
    assert!(
        read.is_ok() || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset),
        "{what}"
    );
}

#[test]
fn a_connection_without_a_whole_request_is_closed() {
    on_platform(async |host| {
        let variables = [("PARTNER__API__HEADER_TIMEOUT", "200ms")];
        with_api(host, "api-headers-slow", &variables, async |api| {
            closed(connect(api).await, "one that says nothing").await;
            let mut half = connect(api).await;
            half.write_all(b"GET /livez HTTP/1.1\r\nHost: ")
                .await
                .expect("it is sent");
            closed(half, "one that does not end its headers").await;
            let mut idle = connect(api).await;
            ask(&mut idle).await;
            answer(&mut idle).await;
            closed(idle, "one that asks nothing more").await;
        })
        .await;
    });
}

#[test]
fn a_body_that_comes_too_slowly_is_refused() {
    on_platform(async |host| {
        let variables = [("PARTNER__API__BODY_TIMEOUT", "200ms")];
        with_api(host, "api-body-slow", &variables, async |api| {
            let key = api.admin().await.credentials.expect("a key");
            let mut stream = connect(api).await;
            let begun = format!(
                "POST /api/v1/payments HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {key}\r\n\
                 Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
            );
            stream
                .write_all(begun.as_bytes())
                .await
                .expect("it is sent");
            let mut answer = Vec::new();
            let read = in_time("the answer", stream.read_to_end(&mut answer)).await;
            // The connection is of no use any more: what is left of the body would be read as a request.
            read.expect("the connection is closed in good order");
            let answer = String::from_utf8(answer).expect("text");
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("HTTP/1.1 408"), "{head}");
            assert!(head.contains("application/problem+json"), "{head}");
            let problem: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(problem["type"], "urn:partner:problem:too-slow");
            assert_eq!(problem["code"], "TIMEOUT");
        })
        .await;
    });
}

#[test]
fn there_are_so_many_connections_and_the_next_one_waits() {
    on_platform(async |host| {
        let variables = [
            ("PARTNER__API__MAX_CONNECTIONS", "2"),
            ("PARTNER__API__HEADER_TIMEOUT", "10m"),
        ];
        with_api(host, "api-connections", &variables, async |api| {
            let mut first = connect(api).await;
            ask(&mut first).await;
            answer(&mut first).await;
            let mut second = connect(api).await;
            let mut third = connect(api).await;
            ask(&mut third).await;
            // The API is at work all the while, and does not come to the third.
            for _ in 0..20 {
                ask(&mut second).await;
                answer(&mut second).await;
            }
            let early = third.try_read(&mut [0; 1]).map_err(|error| error.kind());
            assert_eq!(early, Err(ErrorKind::WouldBlock));
            drop(first);
            answer(&mut third).await;
        })
        .await;
    });
}
