//! Free ports on the loopback interface.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::error::{LocalError, Result};

/// Ports already given out by this process.
///
/// Between picking a port and the server's bind somebody else can be given the same one. Inside
/// one process, where tests start many servers at once, this list rules that out; against other
/// processes the starters try again with other ports.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Attempts to find a port that was not given out before, ahead of taking any free one.
const ATTEMPTS: usize = 64;

/// Picks `N` different ports on which nobody listens.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // All listeners stay open until the last port is picked, so the ports differ.
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let (listener, picked) = pick(&given).map_err(LocalError::NoFreePort)?;
        listeners.push(listener);
        given.insert(picked);
        *port = picked;
    }
    Ok(ports)
}

/// Picks one port on which nobody listens.
pub fn free_port() -> Result<u16> {
    free_ports::<1>().map(|[port]| port)
}

fn pick(given: &BTreeSet<u16>) -> io::Result<(TcpListener, u16)> {
    for _ in 0..ATTEMPTS {
        let (listener, port) = bind()?;
        if !given.contains(&port) {
            return Ok((listener, port));
        }
    }
    bind()
}

fn bind() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_free() {
        let first = free_ports::<20>().unwrap();
        let second = free_ports::<20>().unwrap();
        let all: BTreeSet<u16> = first.into_iter().chain(second).collect();
        assert_eq!(all.len(), 40);
        for port in all {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}
