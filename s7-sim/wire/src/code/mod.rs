//! What a PLC says when it says no: return codes of items, error words of headers. Typed, with their meaning.

mod word;

use std::fmt;

use crate::byte_enum::byte_enum;

pub use word::ErrorWord;

byte_enum! {
    /// The return code of one item.
    pub enum ReturnCode {
        /// Reserved; what a write request carries in this place.
        Reserved = 0x00,
        /// The hardware failed.
        Hardware = 0x01,
        /// The object may not be accessed.
        AccessDenied = 0x03,
        /// The address is past the end, or not one for this type.
        InvalidAddress = 0x05,
        /// The data type is not supported.
        TypeUnsupported = 0x06,
        /// The data does not match the item's size.
        TypeInconsistent = 0x07,
        /// There is no such object: an unknown data block or area.
        ObjectMissing = 0x0a,
        /// Done.
        Success = 0xff,
    }
}

impl ReturnCode {
    /// What the code means, in words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Hardware => "hardware error",
            Self::AccessDenied => "access denied",
            Self::InvalidAddress => "address out of range",
            Self::TypeUnsupported => "data type not supported",
            Self::TypeInconsistent => "data does not match the item's size",
            Self::ObjectMissing => "no such object",
            Self::Success => "success",
            Self::Other(_) => "unknown return code",
        }
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Reserved | Self::Success => "nothing to do",
            Self::Hardware => "look into the CPU's diagnostic buffer: a module does not answer",
            Self::AccessDenied => {
                "permit access in the block's properties (an S7-1200 or 1500 serves no optimised blocks) or in the CPU's"
            }
            Self::InvalidAddress => "compare offset, bit and length with the block in the PLC",
            Self::TypeUnsupported => "read bytes instead, and convert them",
            Self::TypeInconsistent => "send exactly as many bytes as the item's type and count make",
            Self::ObjectMissing => "compare area and block number with the program in the PLC",
            Self::Other(_) => "note the code and look it up in the CPU's manual",
        }
    }
}

impl fmt::Display for ReturnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:02X})", self.meaning(), self.byte())
    }
}

/// Error class and code of an answer's header, as Wireshark prints them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderError {
    /// The class; 0 with code 0 means: no error.
    pub class: u8,
    /// The code within the class.
    pub code: u8,
}

impl HeaderError {
    /// No error.
    pub const NONE: Self = Self { class: 0x00, code: 0x00 };
    /// 81 04: the function is not available; on an S7-1200 or 1500 also: PUT/GET access is switched off.
    pub const FUNCTION_UNAVAILABLE: Self = Self { class: 0x81, code: 0x04 };
    /// 85 00: request or answer would be longer than the negotiated PDU.
    pub const PDU_LENGTH: Self = Self { class: 0x85, code: 0x00 };

    /// Whether this is an error at all.
    pub const fn is_error(self) -> bool {
        self.class != 0 || self.code != 0
    }

    /// Class and code as one word: the vocabulary that userdata answers use as well.
    pub const fn word(self) -> ErrorWord {
        ErrorWord(u16::from_be_bytes([self.class, self.code]))
    }

    /// What the error means, in words; the class decides where the code is not known.
    pub const fn meaning(self) -> &'static str {
        self.word().meaning()
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        self.word().advice()
    }
}

impl From<ErrorWord> for HeaderError {
    fn from(word: ErrorWord) -> Self {
        let [class, code] = word.0.to_be_bytes();
        Self { class, code }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.word().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_print_their_meaning_and_their_bytes() {
        assert_eq!(ReturnCode::ObjectMissing.to_string(), "no such object (0A)");
        assert_eq!(ReturnCode::from_byte(0x42).to_string(), "unknown return code (42)");
        assert_eq!(HeaderError::PDU_LENGTH.to_string(), "longer than the negotiated PDU (85 00)");
        let unnamed = HeaderError { class: 0x87, code: 0x7f };
        assert_eq!(unnamed.to_string(), "access error (87 7F)");
        assert_eq!(HeaderError::from(unnamed.word()), unnamed);
        assert_eq!(HeaderError::PDU_LENGTH.word(), ErrorWord::PDU_LENGTH);
    }

    #[test]
    fn every_return_code_has_a_meaning_and_an_advice() {
        for code in (0..=u8::MAX).map(ReturnCode::from_byte) {
            assert!(!code.meaning().is_empty() && !code.advice().is_empty());
        }
    }
}
