//! Which addresses are called: those of push services, and never our own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Longer addresses are none of a push service: those have some hundred bytes.
const LONGEST_ENDPOINT: usize = 2_048;

/// The address of a subscription, if it may be called; otherwise why not. Names are checked when
/// they are connected to, by [`PublicResolver`].
pub(super) fn check(endpoint: &str, allow_private: bool) -> Result<Url, String> {
    if endpoint.len() > LONGEST_ENDPOINT {
        return Err(format!(
            "the endpoint has {} bytes, at most {LONGEST_ENDPOINT} are allowed",
            endpoint.len()
        ));
    }
    let url = Url::parse(endpoint).map_err(|error| format!("the endpoint is no URL: {error}"))?;
    if !(url.scheme() == "https" || allow_private && url.scheme() == "http") {
        return Err(format!(
            "the endpoint's scheme is {:?}, it must be https",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the endpoint must not have a user or a password".to_owned());
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) | None => None,
    };
    match address {
        Some(address) if !allow_private && !is_public(address) => {
            let host = address.to_string();
            Err(NotPublic { host }.to_string())
        }
        _ => Ok(url),
    }
}

/// The endpoint is in a private network.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the endpoint's host {host} is not on the public internet")]
pub(super) struct NotPublic {
    host: String,
}

/// Finds the addresses of names, as the system does, and refuses names that stand for an address
/// that is not public. The connection goes to what was checked.
pub(super) struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            // One private address is one too many: which of them is connected to is left to chance.
            if found.iter().all(|address| is_public(address.ip())) {
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let host = host.to_owned();
            Err(NotPublic { host }.into())
        })
    }
}

/// Whether an address belongs to somebody out there: the registries of special addresses (RFC 6890
/// and what IANA added since) list all others.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Every network of IPv4 that is not out there, with the length of its prefix.
const SPECIAL_V4: [([u8; 4], u32); 15] = [
    // This network.
    ([0, 0, 0, 0], 8),
    // Private.
    ([10, 0, 0, 0], 8),
    // Carrier-grade NAT.
    ([100, 64, 0, 0], 10),
    // Loopback.
    ([127, 0, 0, 0], 8),
    // Link-local: also where clouds keep the credentials of their machines.
    ([169, 254, 0, 0], 16),
    // Private.
    ([172, 16, 0, 0], 12),
    // Protocol assignments.
    ([192, 0, 0, 0], 24),
    // Documentation.
    ([192, 0, 2, 0], 24),
    // 6to4 relays.
    ([192, 88, 99, 0], 24),
    // Private.
    ([192, 168, 0, 0], 16),
    // Benchmarks.
    ([198, 18, 0, 0], 15),
    // Documentation.
    ([198, 51, 100, 0], 24),
    // Documentation.
    ([203, 0, 113, 0], 24),
    // Multicast.
    ([224, 0, 0, 0], 4),
    // Reserved, and broadcast.
    ([240, 0, 0, 0], 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    SPECIAL_V4.iter().all(|(network, prefix)| {
        let differs = address.to_bits() ^ u32::from_be_bytes(*network);
        differs >> (u32::BITS - prefix) != 0
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address, as it is or behind NAT64, reaches what that address reaches.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        // Teredo and other protocol assignments, documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Nothing else than 2000::/3 is assigned to anybody.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_called() {
        for (address, expected) in [
            ("8.8.8.8", true),
            ("100.63.0.1", true),
            ("172.32.0.1", true),
            ("198.20.0.1", true),
            ("223.255.255.254", true),
            ("2606:4700::1111", true),
            ("2001:4860:4860::8888", true),
            ("64:ff9b::808:808", true),
            ("::ffff:8.8.8.8", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.255.255.255", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.8", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::808:808", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::1", false),
            ("fc00::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn endpoints_are_https_on_public_hosts() {
        let long = format!("https://push.example/{}", "x".repeat(LONGEST_ENDPOINT));
        for (endpoint, expected) in [
            ("https://push.example/s/1", None),
            ("https://push.example:8443/s/1?token=x", None),
            ("https://8.8.8.8/s", None),
            ("http://push.example/s", Some("must be https")),
            ("ftp://push.example/s", Some("must be https")),
            ("data:text/plain,x", Some("must be https")),
            ("/s/1", Some("no URL")),
            ("https://ana:x@push.example/s", Some("user or a password")),
            ("https://127.0.0.1/s", Some("not on the public internet")),
            // Other spellings of 127.0.0.1.
            ("https://2130706433/s", Some("not on the public internet")),
            ("https://0x7f.1/s", Some("not on the public internet")),
            ("https://[::1]/s", Some("not on the public internet")),
            ("https://[fe80::1]/s", Some("not on the public internet")),
            (long.as_str(), Some("at most 2048")),
        ] {
            match (check(endpoint, false), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(expected)) => assert!(error.contains(expected), "{error}"),
                (other, _) => panic!("{endpoint}: {other:?}"),
            }
        }
    }

    #[test]
    fn development_may_call_this_machine_and_nothing_stranger() {
        assert!(check("http://127.0.0.1:8080/s", true).is_ok());
        assert!(check("https://localhost/s", true).is_ok());
        for endpoint in ["ftp://127.0.0.1/s", "http://ana@127.0.0.1/s"] {
            assert!(check(endpoint, true).is_err(), "{endpoint}");
        }
    }

    #[tokio::test]
    async fn a_name_that_stands_for_this_machine_is_refused() {
        let Err(error) = PublicResolver.resolve("localhost".parse().unwrap()).await else {
            panic!("localhost is no push service");
        };
        assert!(error.is::<NotPublic>(), "{error}");
    }
}
