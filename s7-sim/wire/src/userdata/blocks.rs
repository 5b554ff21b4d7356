//! Block lists and block information. Group Blocks.

use bytes::{BufMut, Bytes, BytesMut};

use crate::block::{BlockName, BlockType};

/// How many blocks of each type there are.
pub const COUNT: u8 = 0x01;
/// The numbers of all blocks of a type.
pub const LIST: u8 = 0x02;
/// One block's information.
pub const INFO: u8 = 0x03;

/// Bytes of a list's entry: number, flags, language.
pub const LIST_ENTRY_BYTES: usize = 4;
/// Bytes of a block's information.
pub const INFO_BYTES: usize = 78;

/// Where block and number types are told apart: `0` before the type's letter.
const TYPE_PREFIX: u8 = b'0';
/// Flags of a block in a list: linked in.
const LINKED: u8 = 0x22;

/// The payload that answers [`COUNT`]: each type once, in the order that tools expect.
pub fn encode_counts(count: impl Fn(BlockType) -> u16) -> Bytes {
    let order = [
        BlockType::Ob,
        BlockType::Fb,
        BlockType::Fc,
        BlockType::Db,
        BlockType::Sdb,
        BlockType::Sfc,
        BlockType::Sfb,
    ];
    let mut payload = BytesMut::with_capacity(order.len() * 4);
    for kind in order {
        payload.put_slice(&[TYPE_PREFIX, kind.byte()]);
        payload.put_u16(count(kind));
    }
    payload.freeze()
}

/// Reads the payload that answers [`COUNT`].
pub fn decode_counts(payload: &[u8]) -> Option<Vec<(BlockType, u16)>> {
    let (entries, []) = payload.as_chunks::<4>() else { return None };
    let entry = |&[prefix, kind, hi, lo]: &[u8; 4]| {
        (prefix == TYPE_PREFIX).then(|| (BlockType::from_byte(kind), u16::from_be_bytes([hi, lo])))
    };
    entries.iter().map(entry).collect()
}

/// The type that a [`LIST`] request asks for.
pub fn decode_list_request(payload: &[u8]) -> Option<BlockType> {
    match *payload {
        [TYPE_PREFIX, kind] => Some(BlockType::from_byte(kind)),
        _ => None,
    }
}

/// The payload of a [`LIST`] request.
pub fn encode_list_request(kind: BlockType) -> Bytes {
    Bytes::copy_from_slice(&[TYPE_PREFIX, kind.byte()])
}

/// The payload that answers [`LIST`].
pub fn encode_list(kind: BlockType, numbers: impl IntoIterator<Item = u16>) -> Bytes {
    let mut payload = BytesMut::new();
    for number in numbers {
        payload.put_u16(number);
        payload.put_slice(&[LINKED, kind.language()]);
    }
    payload.freeze()
}

/// The numbers in the payload that answers [`LIST`], put together from its parts.
pub fn decode_list(payload: &[u8]) -> Option<Vec<u16>> {
    let (entries, []) = payload.as_chunks::<LIST_ENTRY_BYTES>() else { return None };
    Some(entries.iter().map(|&[hi, lo, _flags, _language]| u16::from_be_bytes([hi, lo])).collect())
}

/// The block that an [`INFO`] request asks for.
pub fn decode_info_request(payload: &[u8]) -> Option<BlockName> {
    BlockName::decode(payload)
}

/// The payload of an [`INFO`] request.
pub fn encode_info_request(block: BlockName) -> Bytes {
    Bytes::copy_from_slice(&block.encode())
}

/// A block's information. Times are left zero: a simulated block was never edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// The type.
    pub kind: BlockType,
    /// The number.
    pub number: u16,
    /// Bytes in load memory.
    pub load_bytes: u32,
    /// Bytes of code or of actual values.
    pub body_bytes: u16,
    /// Who wrote it, up to eight characters.
    pub author: [u8; 8],
    /// The checksum of its body.
    pub checksum: u16,
}

impl BlockInfo {
    /// The payload that answers [`INFO`].
    pub fn encode(&self) -> Bytes {
        let mut payload = BytesMut::with_capacity(INFO_BYTES);
        payload.put_slice(&[0x01, self.kind.byte()]);
        // Bytes that follow, an unknown constant, and the mark of an image.
        payload.put_slice(&[0x00, 0x4a, 0x22, 0x00, b'p', b'p', 0x01, 0x01]);
        payload.put_slice(&[self.kind.language(), self.kind.subtype()]);
        payload.put_u16(self.number);
        payload.put_u32(self.load_bytes);
        payload.put_bytes(0, 4 + 6 + 6 + 2 + 2 + 2); // security, dates of code and interface, SBB, additional, local data
        payload.put_u16(self.body_bytes);
        payload.put_slice(&self.author);
        payload.put_bytes(0, 8 + 8); // family, name
        payload.put_slice(&[0x01, 0x00]); // version 0.1
        payload.put_u16(self.checksum);
        payload.put_bytes(0, 8);
        debug_assert_eq!(payload.len(), INFO_BYTES);
        payload.freeze()
    }

    /// Reads the payload that answers [`INFO`]; `None` unless it has its length.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let info = <&[u8; INFO_BYTES]>::try_from(payload).ok()?;
        let word = |at: usize| u16::from_be_bytes([info[at], info[at + 1]]);
        let mut author = [0; 8];
        author.copy_from_slice(&info[42..50]);
        Some(Self {
            kind: BlockType::from_byte(info[1]),
            number: word(12),
            load_bytes: (u32::from(word(14)) << 16) | u32::from(word(16)),
            body_bytes: word(40),
            author,
            checksum: word(68),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::FileSystem;

    #[test]
    fn counts_lists_and_information_survive_a_round_trip() {
        let counts = encode_counts(|kind| u16::from(kind == BlockType::Db) * 3);
        assert_eq!(counts.len(), 28);
        let read = decode_counts(&counts).unwrap();
        assert_eq!(read.iter().find(|(kind, _)| *kind == BlockType::Db), Some(&(BlockType::Db, 3)));
        assert_eq!(decode_counts(&counts[..27]), None);
        assert_eq!(decode_list(&encode_list(BlockType::Db, [1, 2, 700])), Some(vec![1, 2, 700]));
        assert_eq!(decode_list(&[0; 5]), None);
        let name = BlockName { kind: BlockType::Db, number: 1, file_system: FileSystem::Active };
        assert_eq!(decode_info_request(&encode_info_request(name)), Some(name));
        assert_eq!(decode_list_request(&encode_list_request(BlockType::Fc)), Some(BlockType::Fc));
    }

    #[test]
    fn information_has_its_fields_where_tools_look() {
        let info = BlockInfo {
            kind: BlockType::Db,
            number: 0x0102,
            load_bytes: 0x10203,
            body_bytes: 0x0304,
            author: *b"WATERTGT",
            checksum: 0x0506,
        };
        let payload = info.encode();
        assert_eq!((payload.len(), payload[1], payload[10]), (78, 0x41, 0x05));
        assert_eq!((&payload[12..14], &payload[14..18]), (&[1, 2][..], &[0, 1, 2, 3][..]));
        assert_eq!(
            (&payload[40..42], &payload[42..50], &payload[68..70]),
            (&[3, 4][..], &b"WATERTGT"[..], &[5, 6][..])
        );
        assert_eq!(BlockInfo::decode(&payload), Some(info));
    }
}
