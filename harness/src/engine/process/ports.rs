//! Ports of loopback for programs that cannot choose one themselves.
//!
//! A port that the kernel gives away for the asking may be gone before the program has it: connections of others, of which a test
//! makes thousands, take theirs from the same range. So these come from below it, each process looks in places of its own, and what
//! one has handed out no other does while the program may still be on its way.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

/// Below this, services have their well-known ports.
const LOWEST: u16 = 10_000;

/// Where Linux keeps the first and the last port that it gives to connections.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Its first, where it cannot be read.
const EPHEMERAL_FIRST: u16 = 32_768;

/// Ports of one process before it looks among those of the next.
const PLACES: u16 = 16;

/// Ports that are tried before it is said that there is none.
const TRIES: u16 = 512;

/// Ports handed out so far: each call begins one further.
static HANDED_OUT: AtomicU16 = AtomicU16::new(0);

/// The claims of the latest ports, so many that a program has long begun to listen when its claim is let go.
static CLAIMS: Mutex<VecDeque<Claim>> = Mutex::new(VecDeque::new());

/// A port of loopback on which nobody listens, and which the kernel gives to nobody's connection.
pub(super) fn free() -> io::Result<u16> {
    let range = range(fs::read_to_string(EPHEMERAL).ok().as_deref());
    let first = HANDED_OUT.fetch_add(1, Ordering::Relaxed) % PLACES;
    let claim = find(&range, std::process::id(), first).ok_or_else(|| {
        io::Error::other(format!(
            "expected a free port of loopback in {}..{}, found {TRIES} taken ones",
            range.start, range.end
        ))
    })?;
    let port = claim.port;
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    claims.push_back(claim);
    if claims.len() > usize::from(PLACES) {
        claims.pop_front();
    }
    Ok(port)
}

/// The first port that nobody has and nobody has claimed, as the process `pid` looks for it.
fn find(range: &Range<u16>, pid: u32, first: u16) -> Option<Claim> {
    // Looking whether it is free takes it for a moment: claimed first, it is nobody's whose program is about to listen.
    candidates(range, pid, first).find_map(|port| Claim::of(port).filter(|_| is_free(port)))
}

/// That a port is meant for somebody, for all programs of this kind to see: a name that ends with the process that took it.
#[derive(Debug)]
struct Claim {
    port: u16,
    _name: UnixListener,
}

impl Claim {
    /// `None`: another has claimed it.
    fn of(port: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("watertight-port-{port}")).ok()?;
        Some(Self { port, _name: UnixListener::bind_addr(&name).ok()? })
    }
}

/// The ports below those of connections; `ephemeral` is what Linux says of these.
fn range(ephemeral: Option<&str>) -> Range<u16> {
    let first = ephemeral.and_then(|text| text.split_whitespace().next()?.parse().ok());
    LOWEST..first.filter(|first| *first >= LOWEST + TRIES).unwrap_or(EPHEMERAL_FIRST)
}

/// Ports to be tried by the process `pid`, from the place `first` of its own on.
fn candidates(range: &Range<u16>, pid: u32, first: u16) -> impl Iterator<Item = u16> {
    let (start, length) = (range.start, u32::from(range.end - range.start));
    let own = pid.wrapping_mul(u32::from(PLACES)) % length;
    (0..TRIES).map(move |n| {
        // Its own places in turn, then those that follow.
        let place = if n < PLACES { (first + n) % PLACES } else { n };
        start + ((own + u32::from(place)) % length) as u16
    })
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_lie_below_those_of_connections() {
        assert_eq!(range(Some("32768\t60999\n")), LOWEST..32_768);
        assert_eq!(range(Some("1024 65535")), LOWEST..EPHEMERAL_FIRST, "there is no room below");
        assert_eq!(range(None), LOWEST..EPHEMERAL_FIRST);
    }

    #[test]
    fn processes_that_start_together_look_in_different_places() {
        let range = LOWEST..32_768;
        let places = |pid| candidates(&range, pid, 3).take(usize::from(PLACES)).collect::<BTreeSet<_>>();
        for pid in [1, 4_711, u32::MAX - 1] {
            assert_eq!(places(pid).len(), usize::from(PLACES));
            assert!(places(pid).is_disjoint(&places(pid + 1)));
            assert!(places(pid).iter().all(|port| range.contains(port)));
        }
    }

    #[test]
    fn a_port_that_another_run_was_given_is_passed_over_before_anybody_listens() {
        // Numbers of processes come again, and so do their places.
        let range = LOWEST..EPHEMERAL_FIRST;
        let [one, other] = [(); 2].map(|()| find(&range, 4_711, 0).expect("some port is free"));
        assert_ne!(one.port, other.port);
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let taken = free().expect("some port is free");
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("it is free");
        for _ in 0..2 * PLACES {
            assert_ne!(free().expect("others are free"), taken);
        }
    }
}
