//! Where an item lives and what its elements are: areas and transport sizes. Pure tables.

use crate::byte_enum::byte_enum;

byte_enum! {
    /// A memory area of the PLC, as an item's area byte names it.
    pub enum Area {
        /// System information of the 200 family.
        SystemInfo = 0x03,
        /// System flags of the 200 family.
        SystemFlags = 0x05,
        /// Analog inputs of the 200 family.
        AnalogInputs = 0x06,
        /// Analog outputs of the 200 family.
        AnalogOutputs = 0x07,
        /// Counters (C): the address counts counters, not bits.
        Counters = 0x1c,
        /// Timers (T): the address counts timers, not bits.
        Timers = 0x1d,
        /// Direct peripheral access (P).
        Peripheral = 0x80,
        /// Process image of the inputs (I).
        Inputs = 0x81,
        /// Process image of the outputs (Q).
        Outputs = 0x82,
        /// Bit memory (M).
        Merkers = 0x83,
        /// Data blocks (DB).
        DataBlocks = 0x84,
        /// Instance data blocks (DI).
        InstanceBlocks = 0x85,
        /// Local data (L).
        Local = 0x86,
    }
}

byte_enum! {
    /// The type of an item's elements, as a request states it.
    pub enum TransportSize {
        /// One bit; the only count that a PLC accepts is 1.
        Bit = 0x01,
        /// One byte.
        Byte = 0x02,
        /// One character, one byte.
        Char = 0x03,
        /// 16 bits, unsigned.
        Word = 0x04,
        /// 16 bits, signed.
        Int = 0x05,
        /// 32 bits, unsigned.
        Dword = 0x06,
        /// 32 bits, signed.
        Dint = 0x07,
        /// IEEE 754, 32 bits.
        Real = 0x08,
        /// Days since 1990-01-01, 16 bits.
        Date = 0x09,
        /// Milliseconds since midnight, 32 bits.
        TimeOfDay = 0x0a,
        /// Milliseconds, signed, 32 bits.
        Time = 0x0b,
        /// BCD time of the S5, 16 bits.
        S5Time = 0x0c,
        /// DATE_AND_TIME, 8 bytes of BCD.
        DateAndTime = 0x0f,
        /// A counter, 16 bits.
        Counter = 0x1c,
        /// A timer, 16 bits.
        Timer = 0x1d,
    }
}

impl TransportSize {
    /// Bytes that one element takes in an answer; `None` for a type without a name. A bit travels in a byte of its own.
    pub const fn element_bytes(self) -> Option<usize> {
        Some(match self {
            Self::Bit | Self::Byte | Self::Char => 1,
            Self::Word | Self::Int | Self::Date | Self::S5Time | Self::Counter | Self::Timer => 2,
            Self::Dword | Self::Dint | Self::Real | Self::TimeOfDay | Self::Time => 4,
            Self::DateAndTime => 8,
            Self::Other(_) => return None,
        })
    }

    /// How the data of such elements is labelled where it travels.
    pub const fn data(self) -> DataTransport {
        match self {
            Self::Bit => DataTransport::Bit,
            Self::Int | Self::Dint => DataTransport::Integer,
            Self::Real => DataTransport::Real,
            Self::Char | Self::Counter | Self::Timer => DataTransport::OctetString,
            _ => DataTransport::Byte,
        }
    }
}

byte_enum! {
    /// The label on item data (in read answers and write requests): it decides whether the length counts bits or bytes.
    pub enum DataTransport {
        /// No data; what a failed item carries.
        Null = 0x00,
        /// One bit; the length counts bits.
        Bit = 0x03,
        /// Bytes, words, double words; the length counts bits.
        Byte = 0x04,
        /// Integers; the length counts bits.
        Integer = 0x05,
        /// Double integers; the length counts bytes.
        DoubleInteger = 0x06,
        /// Reals; the length counts bytes.
        Real = 0x07,
        /// Octet string; the length counts bytes.
        OctetString = 0x09,
    }
}

impl DataTransport {
    /// Whether the length field behind this label counts bits.
    pub const fn counts_bits(self) -> bool {
        matches!(self, Self::Bit | Self::Byte | Self::Integer)
    }

    /// Bytes that a length field of `length` announces.
    pub const fn bytes(self, length: u16) -> usize {
        let length = length as usize;
        if self.counts_bits() { length.div_ceil(8) } else { length }
    }

    /// The length field for `bytes` of payload; `None` when it does not fit. A bit counts as one, and there is only one.
    pub fn length(self, bytes: usize) -> Option<u16> {
        let length = match self {
            Self::Bit if bytes > 1 => return None,
            Self::Bit => bytes,
            _ if self.counts_bits() => bytes.checked_mul(8)?,
            _ => bytes,
        };
        u16::try_from(length).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_values_survive_a_round_trip_over_their_byte() {
        for byte in 0..=u8::MAX {
            assert_eq!(Area::from_byte(byte).byte(), byte);
            assert_eq!(TransportSize::from_byte(byte).byte(), byte);
            assert_eq!(DataTransport::from_byte(byte).byte(), byte);
        }
    }

    #[test]
    fn lengths_count_bits_or_bytes_by_label() {
        assert_eq!(DataTransport::Byte.length(4), Some(32));
        assert_eq!(DataTransport::Bit.length(1), Some(1));
        assert_eq!(DataTransport::Bit.length(2), None);
        assert_eq!(DataTransport::Real.length(4), Some(4));
        assert_eq!(DataTransport::Byte.length(8192), None);
        assert_eq!(DataTransport::Bit.bytes(1), 1);
        assert_eq!(DataTransport::Integer.bytes(32), 4);
        assert_eq!(DataTransport::OctetString.bytes(5), 5);
    }
}
