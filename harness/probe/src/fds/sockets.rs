//! Addresses and states of sockets from `/proc/PID/net/{tcp,tcp6,udp,udp6,unix}`. Source: proc_pid_net(5).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Sockets by inode.
pub(super) type Sockets = BTreeMap<u64, Socket>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    /// `tcp`, `udp` or `unix`.
    pub(super) protocol: &'static str,
    /// `None`: a Unix socket without a path.
    pub(super) local: Option<String>,
    /// `None`: a listener, a UDP socket that is not connected, or a Unix socket.
    pub(super) peer: Option<String>,
    pub(super) state: Option<&'static str>,
}

/// Rows read per table: it lists the sockets of the whole network namespace.
const ROWS_MAX: usize = 1 << 18;

/// What the tables list. A table that is not there (no IPv6) has no sockets.
pub(super) fn read(process: &Path) -> Sockets {
    let mut sockets = Sockets::new();
    for (table, protocol) in
        [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp"), ("unix", "unix")]
    {
        let Ok(file) = File::open(process.join("net").join(table)) else { continue };
        let rows = BufReader::new(file).lines().map_while(Result::ok).skip(1).take(ROWS_MAX);
        sockets.extend(rows.filter_map(|row| match protocol {
            "unix" => parse_unix_row(&row),
            _ => parse_row(&row, protocol),
        }));
    }
    sockets
}

/// `sl local rem st tx:rx tr:when retrnsmt uid timeout inode …`, addresses and state in hexadecimal.
fn parse_row(row: &str, protocol: &'static str) -> Option<(u64, Socket)> {
    let mut words = row.split_ascii_whitespace();
    let local = parse_address(words.nth(1)?)?;
    let peer = parse_address(words.next()?)?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    let socket = Socket {
        protocol,
        local: Some(local.to_string()),
        peer: (peer.port() != 0).then(|| peer.to_string()),
        state: (protocol == "tcp").then(|| tcp_state(state)),
    };
    Some((inode, socket))
}

/// `num: references protocol flags type state inode path`, where flags, type and state are hexadecimal.
fn parse_unix_row(row: &str) -> Option<(u64, Socket)> {
    let mut words = row.split_ascii_whitespace();
    let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    let state = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let inode = words.next()?.parse().ok()?;
    let local = words.next().map(str::to_owned);
    let state = if flags & UNIX_LISTENS != 0 { "LISTEN" } else { unix_state(state) };
    Some((inode, Socket { protocol: "unix", local, peer: None, state: Some(state) }))
}

/// Source: Linux, include/uapi/linux/net.h, `__SO_ACCEPTCON`.
const UNIX_LISTENS: u32 = 1 << 16;

/// Names as `ss` prints them. Source: Linux, include/uapi/linux/net.h, `socket_state`.
fn unix_state(state: u8) -> &'static str {
    match state {
        1 => "UNCONN",
        2 => "SYN-SENT",
        3 => "ESTAB",
        4 => "FIN-WAIT",
        _ => "UNKNOWN",
    }
}

/// `0100007F:0066`: the address as 32-bit words in the machine's own byte order, the port in the usual one.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            let octets: [u8; 16] = words.try_into().ok()?;
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Names as `ss` prints them. Source: Linux, include/net/tcp_states.h.
fn tcp_state(state: u8) -> &'static str {
    match state {
        1 => "ESTAB",
        2 => "SYN-SENT",
        3 => "SYN-RECV",
        4 => "FIN-WAIT-1",
        5 => "FIN-WAIT-2",
        6 => "TIME-WAIT",
        7 => "UNCONN",
        8 => "CLOSE-WAIT",
        9 => "LAST-ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        12 => "NEW-SYN-RECV",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn a_row_of_proc_net_tcp_is_read_as_the_manual_says() {
        let row = "   3: 0100007F:0066 0200007F:C350 08 00000000:00000000 00:00000000 00000000     0        0 4711 1 0";
        let socket = Socket {
            protocol: "tcp",
            local: Some("127.0.0.1:102".to_owned()),
            peer: Some("127.0.0.2:50000".to_owned()),
            state: Some("CLOSE-WAIT"),
        };
        assert_eq!(parse_row(row, "tcp"), Some((4711, socket)));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn an_ipv6_listener_has_no_peer() {
        let row = "0: 00000000000000000000000001000000:0066 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9 1";
        let (inode, socket) = parse_row(row, "tcp").expect("a whole row");
        assert_eq!((inode, socket.local.as_deref(), socket.peer), (9, Some("[::1]:102"), None));
        assert_eq!(socket.state, Some("LISTEN"));
    }

    #[test]
    fn a_unix_socket_has_a_path_where_it_is_bound() {
        let row = "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/x.sock";
        let bound = Socket {
            protocol: "unix",
            local: Some("/run/x.sock".to_owned()),
            peer: None,
            state: Some("LISTEN"),
        };
        assert_eq!(parse_unix_row(row), Some((4711, bound)));
        let (inode, pair) = parse_unix_row("0: 00000003 00000000 00000000 0001 03 9").expect("a whole row");
        assert_eq!((inode, pair.local, pair.state), (9, None, Some("ESTAB")));
    }

    #[test]
    fn a_torn_row_is_skipped() {
        assert_eq!(parse_row("   3: 0100007F:0066 02000", "tcp"), None);
        assert_eq!(parse_row("3: 0100007F:0066 é00007F:C35 01 0 0 0 0 0 1", "tcp"), None);
    }
}
