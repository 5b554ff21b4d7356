//! Conversations: what a capture's packets say, connection by connection, in the order in which it was said. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TcpSlice, TransportSlice};
use thiserror::Error;

use crate::pcap::{Capture, LinkType};

/// One connection of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The client's address.
    pub client: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
    /// What was said.
    pub steps: Vec<Step>,
}

/// Bytes of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// From the client.
    Client(Vec<u8>),
    /// From the server.
    Server(Vec<u8>),
}

/// Why a capture's packets are no conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// Bytes are missing, or come out of order.
    #[error(
        "packet {number}, {from} to {to}: {missing} bytes before it are not in the capture: it lost packets, or has them out of \
         order (`reordercap` sorts them)"
    )]
    Gap {
        /// The packet, from 1.
        number: usize,
        /// Who sent it.
        from: SocketAddr,
        /// To whom.
        to: SocketAddr,
        /// How many bytes.
        missing: u32,
    },
    /// Nobody talks to this port.
    #[error("no packet with data to or from port {port}: say which port the server has with --port")]
    Nothing {
        /// The port.
        port: u16,
    },
}

/// One connection being put together.
struct Open {
    index: usize,
    client_next: Option<u32>,
    server_next: Option<u32>,
}

/// All conversations with servers at `port`, by their first packets. What is not TCP to or from that port is passed over;
/// what was sent twice is taken once.
pub fn conversations(capture: &Capture<'_>, port: u16) -> Result<Vec<Conversation>, ConversationError> {
    let mut found: Vec<Conversation> = Vec::new();
    let mut open: BTreeMap<(SocketAddr, SocketAddr), Open> = BTreeMap::new();
    for (number, packet) in (1..).zip(&capture.packets) {
        let Some((from, to, tcp)) = dissect(capture.link, packet) else { continue };
        let (client, server) = if to.port() == port { (from, to) } else { (to, from) };
        if server.port() != port {
            continue;
        }
        let is_first = tcp.syn() && !tcp.ack();
        if is_first || !open.contains_key(&(client, server)) {
            open.insert((client, server), Open { index: found.len(), client_next: None, server_next: None });
            found.push(Conversation { client, server, steps: Vec::new() });
        }
        let open = open.get_mut(&(client, server)).expect("it was inserted if it was not there");
        let next = if from == client { &mut open.client_next } else { &mut open.server_next };
        let fresh = advance(next, &tcp);
        let fresh = fresh.map_err(|missing| ConversationError::Gap { number, from, to, missing })?;
        found[open.index].say(from == client, fresh);
    }
    found.retain(|conversation| !conversation.steps.is_empty());
    if found.is_empty() { Err(ConversationError::Nothing { port }) } else { Ok(found) }
}

impl Conversation {
    fn say(&mut self, is_client: bool, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match (self.steps.last_mut(), is_client) {
            (Some(Step::Client(said)), true) | (Some(Step::Server(said)), false) => {
                said.extend_from_slice(bytes)
            }
            (_, true) => self.steps.push(Step::Client(bytes.to_vec())),
            (_, false) => self.steps.push(Step::Server(bytes.to_vec())),
        }
    }
}

/// The part of a segment that is new, given the sequence number that is expected; or how many bytes are missing before it.
fn advance<'p>(next: &mut Option<u32>, tcp: &TcpSlice<'p>) -> Result<&'p [u8], u32> {
    let (start, payload) = (tcp.sequence_number(), tcp.payload());
    if tcp.syn() {
        *next = Some(start.wrapping_add(1));
        return Ok(&[]);
    }
    let expected = *next.get_or_insert(start);
    // Sequence numbers wrap around: the smaller distance is meant.
    let ahead = start.wrapping_sub(expected);
    if ahead != 0 && ahead < u32::MAX / 2 {
        return if payload.is_empty() { Ok(&[]) } else { Err(ahead) };
    }
    let known = expected.wrapping_sub(start) as usize;
    let fresh = payload.get(known..).unwrap_or_default();
    *next = Some(expected.wrapping_add(fresh.len() as u32));
    Ok(fresh)
}

/// Addresses and TCP of a packet; `None` for whatever else.
fn dissect<'p>(link: LinkType, packet: &'p [u8]) -> Option<(SocketAddr, SocketAddr, TcpSlice<'p>)> {
    let sliced = match link {
        LinkType::Ethernet => SlicedPacket::from_ethernet(packet),
        LinkType::Raw => SlicedPacket::from_ip(packet),
    };
    let sliced = sliced.ok()?;
    let (from, to): (IpAddr, IpAddr) = match sliced.net? {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Arp(_) => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return None };
    let (source, destination) = (tcp.source_port(), tcp.destination_port());
    Some((SocketAddr::new(from, source), SocketAddr::new(to, destination), tcp))
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    /// A packet of a client (port 5) to a server (port 102), or back.
    fn packet(is_client: bool, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let (from, to) = if is_client { (5, 102) } else { (102, 5) };
        let step = PacketBuilder::ethernet2([1; 6], [2; 6])
            .ipv4([10, 0, 0, from as u8], [10, 0, 0, to as u8], 9)
            .tcp(from, to, sequence, 9)
            .ack(1);
        let mut packet = Vec::new();
        step.write(&mut packet, payload).unwrap();
        packet
    }

    fn read(packets: &[Vec<u8>]) -> Result<Vec<Step>, ConversationError> {
        let packets = packets.iter().map(Vec::as_slice).collect();
        let capture = Capture { link: LinkType::Ethernet, packets, cut: false };
        Ok(conversations(&capture, 102)?.remove(0).steps)
    }

    #[test]
    fn what_was_sent_twice_is_taken_once_and_numbers_wrap_around() {
        let start = u32::MAX - 1;
        let packets = [
            packet(true, start, b"abc"),
            packet(true, start, b"abc"),
            packet(true, start.wrapping_add(2), b"cde"),
            packet(false, 7, b"x"),
            packet(true, 3, b"f"),
        ];
        let expected = [Step::Client(b"abcde".into()), Step::Server(b"x".into()), Step::Client(b"f".into())];
        assert_eq!(read(&packets), Ok(expected.to_vec()));
    }

    #[test]
    fn a_gap_is_told_with_its_size() {
        let error = read(&[packet(true, 1, b"ab"), packet(true, 7, b"c")]).unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("packet 2, 10.0.0.5:5 to 10.0.0.102:102: 4 bytes before it are"), "{told}");
    }

    #[test]
    fn noise_is_passed_over_and_nothing_but_noise_is_an_error() {
        assert_eq!(
            read(&[vec![1, 2, 3], packet(true, 1, b"")]),
            Err(ConversationError::Nothing { port: 102 })
        );
        assert_eq!(read(&[vec![0; 60], packet(true, 1, b"a")]), Ok(vec![Step::Client(b"a".into())]));
    }
}
