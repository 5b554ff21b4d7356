//! Classic pcap files: the headers of 24 and 16 bytes, written and read. Knows no packets.
//!
//! Source: <https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcap>, §4 and §5.

use std::time::Duration;

use thiserror::Error;

/// Bytes before the first packet.
pub const FILE_HEADER_BYTES: usize = 24;
/// Bytes before each packet.
pub const RECORD_HEADER_BYTES: usize = 16;
/// Longest packet that is read or written, as in libpcap.
pub const PACKET_BYTES_MAX: usize = 262_144;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// What stands at the beginning of each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IP header, of either version.
    Raw,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture<'a> {
    /// What the packets begin with.
    pub link: LinkType,
    /// The packets, in the file's order.
    pub packets: Vec<&'a [u8]>,
    /// Whether the file ends within a packet, as one does whose disk was full.
    pub cut: bool,
}

/// Why a file is no capture that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PcapError {
    /// Not classic pcap.
    #[error(
        "expected a classic pcap file, found one that starts with {found:02X?}: convert pcapng with `editcap -F pcap`"
    )]
    Magic {
        /// Its first bytes.
        found: [u8; 4],
    },
    /// Shorter than its header.
    #[error("a pcap file has at least {FILE_HEADER_BYTES} bytes, found {found}")]
    Short {
        /// How long it is.
        found: usize,
    },
    /// Packets that begin with something else.
    #[error("expected link type 1 (Ethernet) or 101 (raw IP), found {found}")]
    LinkType {
        /// The number.
        found: u32,
    },
    /// A packet longer than packets are.
    #[error("packet {number} has {found} bytes, at most {PACKET_BYTES_MAX} are read")]
    TooLong {
        /// Which, from 1.
        number: usize,
        /// Its length.
        found: usize,
    },
}

impl LinkType {
    const fn number(self) -> u32 {
        match self {
            Self::Ethernet => 1,
            Self::Raw => 101,
        }
    }

    fn from_number(found: u32) -> Result<Self, PcapError> {
        let all = [Self::Ethernet, Self::Raw];
        all.into_iter().find(|link| link.number() == found).ok_or(PcapError::LinkType { found })
    }
}

/// The header of a file with times in microseconds.
pub fn file_header(link: LinkType) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
    header[4] = 2; // version 2.4
    header[6] = 4;
    header[16..20].copy_from_slice(&(PACKET_BYTES_MAX as u32).to_le_bytes());
    header[20..].copy_from_slice(&link.number().to_le_bytes());
    header
}

/// The header of a packet of `bytes`, seen at `at` after 1970.
pub fn record_header(at: Duration, bytes: u32) -> [u8; RECORD_HEADER_BYTES] {
    // The format's seconds end in 2106.
    let fields = [at.as_secs() as u32, at.subsec_micros(), bytes, bytes];
    let mut header = [0; RECORD_HEADER_BYTES];
    for (place, field) in header.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    header
}

/// Reads a whole file, written on a machine of either byte order.
pub fn read(file: &[u8]) -> Result<Capture<'_>, PcapError> {
    let (header, mut rest) =
        file.split_first_chunk::<FILE_HEADER_BYTES>().ok_or(PcapError::Short { found: file.len() })?;
    let number = byte_order(header)?;
    let link = LinkType::from_number(number(&header[20..]) & 0xffff)?;
    let mut packets = Vec::new();
    while let Some((record, behind)) = rest.split_first_chunk::<RECORD_HEADER_BYTES>() {
        let bytes = number(&record[8..]) as usize;
        if bytes > PACKET_BYTES_MAX {
            return Err(PcapError::TooLong { number: packets.len() + 1, found: bytes });
        }
        let Some((packet, behind)) = behind.split_at_checked(bytes) else { break };
        packets.push(packet);
        rest = behind;
    }
    Ok(Capture { link, packets, cut: !rest.is_empty() })
}

/// Reads the first four bytes of a slice as a number.
type Number = fn(&[u8]) -> u32;

fn byte_order(header: &[u8; FILE_HEADER_BYTES]) -> Result<Number, PcapError> {
    let magic = [header[0], header[1], header[2], header[3]];
    let is_magic = |found| [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].contains(&found);
    if is_magic(u32::from_le_bytes(magic)) {
        Ok(|bytes| u32::from_le_bytes(four(bytes)))
    } else if is_magic(u32::from_be_bytes(magic)) {
        Ok(|bytes| u32::from_be_bytes(four(bytes)))
    } else {
        Err(PcapError::Magic { found: magic })
    }
}

fn four(bytes: &[u8]) -> [u8; 4] {
    *bytes.first_chunk().expect("headers have four bytes at each of their fields")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let at = Duration::from_micros(3_000_007);
        [&file_header(LinkType::Raw)[..], &record_header(at, 3), b"abc", &record_header(at, 0)].concat()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let expected = Capture { link: LinkType::Raw, packets: vec![&b"abc"[..], b""], cut: false };
        assert_eq!(read(&file()), Ok(expected));
        assert_eq!(record_header(Duration::from_micros(3_000_007), 9)[..8], [3, 0, 0, 0, 7, 0, 0, 0]);
    }

    #[test]
    fn the_other_byte_order_and_nanoseconds_are_read_as_well() {
        let mut file: Vec<u8> =
            file().chunks(4).take(6).flat_map(|four| four.iter().rev().copied()).collect();
        file[3] = 0x4d;
        file[2] = 0x3c;
        file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, b'x']);
        assert_eq!(read(&file).unwrap().packets, [b"x"]);
    }

    #[test]
    fn a_file_cut_short_gives_what_is_whole() {
        let file = file();
        let capture = read(&file[..file.len() - 17]).unwrap();
        assert_eq!((capture.packets.len(), capture.cut), (0, true));
    }

    #[test]
    fn what_is_no_capture_is_told_apart() {
        assert_eq!(read(&[0; 23]), Err(PcapError::Short { found: 23 }));
        assert_eq!(read(&[7; 24]), Err(PcapError::Magic { found: [7; 4] }));
        let mut linux = file_header(LinkType::Raw);
        linux[20] = 113;
        assert_eq!(read(&linux), Err(PcapError::LinkType { found: 113 }));
        let huge = [&file_header(LinkType::Raw)[..], &record_header(Duration::ZERO, u32::MAX)].concat();
        assert_eq!(read(&huge), Err(PcapError::TooLong { number: 1, found: u32::MAX as usize }));
    }
}
