//! Blocks of a program: their types, how jobs name them, and the header of a block's image.

use bytes::{BufMut, BytesMut};

use crate::byte_enum::byte_enum;

byte_enum! {
    /// The type of a block.
    pub enum BlockType {
        /// Organization block.
        Ob = 0x38,
        /// Data block.
        Db = 0x41,
        /// System data block.
        Sdb = 0x42,
        /// Function.
        Fc = 0x43,
        /// System function.
        Sfc = 0x44,
        /// Function block.
        Fb = 0x45,
        /// System function block.
        Sfb = 0x46,
    }
}

impl BlockType {
    /// The language it is written in, as lists and headers say it: DB, or STL for code.
    pub const fn language(self) -> u8 {
        match self {
            Self::Db => 0x05,
            Self::Sdb => 0x0b,
            _ => 0x01,
        }
    }

    /// Its code within an image's header, which has codes of its own.
    pub const fn subtype(self) -> u8 {
        match self {
            Self::Ob => 0x08,
            Self::Db => 0x0a,
            Self::Sdb => 0x0b,
            Self::Fc => 0x0c,
            Self::Sfc => 0x0d,
            Self::Fb => 0x0e,
            Self::Sfb => 0x0f,
            Self::Other(code) => code,
        }
    }
}

/// The largest number that five digits can name.
pub const BLOCK_NUMBER_MAX: u32 = 99_999;

/// Where a block is, or is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileSystem {
    /// `A`: active, part of the running program.
    Active,
    /// `B`: either.
    Both,
    /// `P`: passive, loaded and not yet linked in.
    Passive,
}

impl FileSystem {
    const fn letter(self) -> u8 {
        match self {
            Self::Active => b'A',
            Self::Both => b'B',
            Self::Passive => b'P',
        }
    }

    const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'A' => Some(Self::Active),
            b'B' => Some(Self::Both),
            b'P' => Some(Self::Passive),
            _ => None,
        }
    }
}

/// A block as jobs name it in text: type, five digits, file system, such as `0A00001A` for DB1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockName {
    /// The type.
    pub kind: BlockType,
    /// The number, at most [`BLOCK_NUMBER_MAX`].
    pub number: u32,
    /// Where.
    pub file_system: FileSystem,
}

impl BlockName {
    /// Bytes of the name without the `_` that transfers put before it.
    pub const BYTES: usize = 8;

    /// Reads a name: `0`, type, digits, file system.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let &[b'0', kind, ref digits @ .., file_system] = <&[u8; Self::BYTES]>::try_from(bytes).ok()? else {
            return None;
        };
        Some(Self {
            kind: BlockType::from_byte(kind),
            number: decimal(digits)?,
            file_system: FileSystem::from_letter(file_system)?,
        })
    }

    /// The name as bytes.
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [b'0'; Self::BYTES];
        bytes[1] = self.kind.byte();
        bytes[2..7].copy_from_slice(&digits::<5>(self.number));
        bytes[7] = self.file_system.letter();
        bytes
    }
}

/// The number that ASCII digits write; `None` for anything else. At most nine digits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u32> {
    debug_assert!(digits.len() <= 9, "nine digits fit an u32");
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

/// The last `N` decimal digits of `number`.
pub(crate) fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// The header of a block's image, as upload and download carry it: 36 bytes before the block's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// The type.
    pub kind: BlockType,
    /// The number.
    pub number: u16,
    /// Bytes of the body; for a data block its actual values.
    pub body_bytes: u16,
    /// Bytes of the whole image, header included.
    pub load_bytes: u32,
}

impl ImageHeader {
    /// Its length.
    pub const BYTES: usize = 36;

    /// What an image begins with.
    const MARK: [u8; 3] = [b'p', b'p', 0x01];

    /// Appends the header; dates and sections that a data block does not have are zeros.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&Self::MARK);
        out.put_slice(&[0x01, self.kind.language(), self.kind.subtype()]);
        out.put_u16(self.number);
        out.put_u32(self.load_bytes);
        out.put_bytes(0, 22);
        out.put_u16(self.body_bytes);
    }

    /// Reads a header; `None` for bytes that are none.
    pub fn decode(image: &[u8]) -> Option<Self> {
        let head = image.first_chunk::<{ Self::BYTES }>()?;
        if !head.starts_with(&Self::MARK) {
            return None;
        }
        let kind = BlockType::NAMED.iter().copied().find(|kind| kind.subtype() == head[5])?;
        Some(Self {
            kind,
            number: u16::from_be_bytes([head[6], head[7]]),
            body_bytes: u16::from_be_bytes([head[34], head[35]]),
            load_bytes: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_type_digits_and_file_system() {
        let name = BlockName { kind: BlockType::Db, number: 123, file_system: FileSystem::Active };
        assert_eq!(name.encode(), *b"0A00123A");
        assert_eq!(BlockName::decode(b"0A00123A"), Some(name));
        for wrong in [&b"0A0012xA"[..], b"1A00123A", b"0A00123Z", b"0A0123A"] {
            assert_eq!(BlockName::decode(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_image_header_has_36_bytes_and_survives_a_round_trip() {
        let header = ImageHeader { kind: BlockType::Db, number: 7, body_bytes: 64, load_bytes: 100 };
        let mut out = BytesMut::new();
        header.encode(&mut out);
        assert_eq!(out.len(), ImageHeader::BYTES);
        assert_eq!(ImageHeader::decode(&out), Some(header));
        assert_eq!(ImageHeader::decode(&out[..35]), None);
        out[0] = 0;
        assert_eq!(ImageHeader::decode(&out), None);
    }
}
