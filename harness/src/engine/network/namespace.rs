//! Leaves the machine's network for a new one in which only loopback exists. Source: network_namespaces(7), rtnetlink(7).

use std::fs;
use std::io;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use rustix::process::{getegid, geteuid};
use rustix::thread::UnshareFlags;

use super::{ENTERED, Entered, Network};

/// Takes this thread, and those that it will start, to the network that is wanted. Call it before there are others: where only a
/// user namespace permits it, the system insists on that.
///
/// # Errors
/// A sentence: a network of its own was asked for, and there is none.
pub(crate) fn enter(network: Network) -> Result<Entered, String> {
    let entered = try_enter(network)?;
    // Only in tests there is a second time, on threads of their own.
    let _ = ENTERED.set(entered.clone());
    Ok(entered)
}

fn try_enter(network: Network) -> Result<Entered, String> {
    if network == Network::Host {
        return Ok(Entered::Host);
    }
    let refused = match leave() {
        Ok(()) => return open(),
        Err(error) => format!("no network of its own: {error}"),
    };
    match network {
        Network::Auto => Ok(Entered::Refused(refused)),
        _ => Err(format!("{refused}; run as root, permit user namespaces, or say `--network host`")),
    }
}

/// With the rights for it, or else within a user namespace, in which everybody has them.
fn leave() -> io::Result<()> {
    if unshare(UnshareFlags::NEWNET).is_ok() {
        return Ok(());
    }
    // Asked for before: within the new namespace nobody has a number yet.
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))
}

#[expect(
    deprecated,
    reason = "its successor is `unsafe` for the sake of `FILES`, which is not asked for here"
)]
fn unshare(what: UnshareFlags) -> io::Result<()> {
    Ok(rustix::thread::unshare(what)?)
}

/// Loopback is the first interface of every network, and down at first.
const LOOPBACK: i32 = 1;

/// Source: linux/netlink.h, linux/rtnetlink.h, linux/if.h.
const RTM_NEWLINK: u16 = 16;
const REQUEST_AND_ACK: u16 = 1 | 4;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;

/// Bytes of a request: its head, and what it says of an interface.
const REQUEST_BYTES: u32 = 16 + 16;

/// The way back is shut by now, so a network without loopback is a failure, however mild the wish for one was.
fn open() -> Result<Entered, String> {
    loopback_up().map_err(|error| format!("loopback of the run's own network does not come up: {error}"))?;
    Ok(Entered::Own)
}

fn loopback_up() -> io::Result<()> {
    // No protocol is number 0: routes and links.
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sendto(&kernel, &up_request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 256];
    let (bytes, _) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
    acknowledged(&answer[..bytes])
}

fn up_request() -> Vec<u8> {
    let head = [&REQUEST_BYTES.to_ne_bytes()[..], &RTM_NEWLINK.to_ne_bytes(), &REQUEST_AND_ACK.to_ne_bytes()];
    // Sequence and sender; then family and kind, which say nothing; then which, what, and what of that changes.
    let of_whom = [[0; 8].as_slice(), &[0; 4], &LOOPBACK.to_ne_bytes()];
    [head.concat(), of_whom.concat(), IFF_UP.to_ne_bytes().into(), IFF_UP.to_ne_bytes().into()].concat()
}

/// The kernel acknowledges by an error with the number 0.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let number = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, number) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(number)) => Err(io::Error::from_raw_os_error(-number)),
        _ => Err(io::Error::other("the kernel answered something else")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_long_as_it_says() {
        assert_eq!(up_request().len(), REQUEST_BYTES as usize);
    }

    #[test]
    fn what_the_kernel_refuses_is_told_by_its_name() {
        let mut answer = [0; 36];
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        assert!(acknowledged(&answer).is_ok());
        answer[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(acknowledged(&answer).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(acknowledged(&answer[..10]).is_err());
    }
}
