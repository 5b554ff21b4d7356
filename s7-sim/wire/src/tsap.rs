//! TSAPs: who calls and who is called. On S7 two bytes: connection type, then rack and slot.

use std::fmt;

/// Longest TSAP accepted; `SIMATIC-ROOT-OTHER` (18) is the longest in use.
pub const TSAP_BYTES_MAX: usize = 20;

/// What kind of partner a connection is for; PLCs keep their slots apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectionType {
    /// Programming device.
    Pg,
    /// Operator panel.
    Op,
    /// Basic communication (S7 basic).
    Basic,
}

impl ConnectionType {
    /// The first byte of a TSAP for this kind of partner.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Pg => 1,
            Self::Op => 2,
            Self::Basic => 3,
        }
    }
}

/// One transport selector, held in place: decoding one allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tsap {
    length: u8,
    bytes: [u8; TSAP_BYTES_MAX],
}

impl Tsap {
    /// The selector of the CPU in `rack` and `slot`, for a partner of this type: the second byte is rack · 32 + slot.
    ///
    /// Racks are 0..=7 and slots 0..=31 on the wire; higher bits are cut off.
    pub const fn s7(connection: ConnectionType, rack: u8, slot: u8) -> Self {
        Self::two(connection.byte(), ((rack & 0x07) << 5) | (slot & 0x1f))
    }

    /// A selector of two bytes.
    pub const fn two(first: u8, second: u8) -> Self {
        let mut bytes = [0; TSAP_BYTES_MAX];
        bytes[0] = first;
        bytes[1] = second;
        Self { length: 2, bytes }
    }

    /// Any selector; `None` when it is longer than [`TSAP_BYTES_MAX`].
    pub fn from_bytes(selector: &[u8]) -> Option<Self> {
        let mut bytes = [0; TSAP_BYTES_MAX];
        bytes.get_mut(..selector.len())?.copy_from_slice(selector);
        Some(Self { length: u8::try_from(selector.len()).ok()?, bytes })
    }

    /// The selector as it travels.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The partner's type, where the selector has S7's two bytes and a type that S7 knows.
    pub fn connection_type(&self) -> Option<ConnectionType> {
        let &[first, _] = self.as_bytes() else { return None };
        [ConnectionType::Pg, ConnectionType::Op, ConnectionType::Basic]
            .into_iter()
            .find(|kind| kind.byte() == first)
    }

    /// Rack and slot, where the selector has S7's two bytes.
    pub fn rack_slot(&self) -> Option<(u8, u8)> {
        let &[_, place] = self.as_bytes() else { return None };
        Some((place >> 5, place & 0x1f))
    }
}

impl fmt::Debug for Tsap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tsap({self})")
    }
}

impl fmt::Display for Tsap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.as_bytes().iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rack_and_slot_share_the_second_byte() {
        let tsap = Tsap::s7(ConnectionType::Op, 1, 2);
        assert_eq!(tsap.as_bytes(), [0x02, 0x22]);
        assert_eq!((tsap.connection_type(), tsap.rack_slot()), (Some(ConnectionType::Op), Some((1, 2))));
        assert_eq!(tsap.to_string(), "02.22");
    }

    #[test]
    fn named_selectors_fit_and_longer_ones_are_refused() {
        let named = Tsap::from_bytes(b"SIMATIC-ROOT-OTHER").unwrap();
        assert_eq!((named.as_bytes(), named.rack_slot()), (&b"SIMATIC-ROOT-OTHER"[..], None));
        assert_eq!(Tsap::from_bytes(&[0; TSAP_BYTES_MAX + 1]), None);
    }
}
