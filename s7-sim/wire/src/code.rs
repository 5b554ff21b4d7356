//! What a PLC says when it says no: return codes of items, error words of headers. Typed, with their meaning.

use std::fmt;

use crate::byte_enum::byte_enum;

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

    /// What the error means, in words; the class decides where the code is not known.
    pub const fn meaning(self) -> &'static str {
        match (self.class, self.code) {
            (0x00, 0x00) => "no error",
            (0x81, 0x04) => "function not available, or PUT/GET access is off",
            (0x85, 0x00) => "longer than the negotiated PDU",
            (0x81, _) => "application relationship error",
            (0x82, _) => "object definition error",
            (0x83, _) => "no resources available",
            (0x84, _) => "error while processing the service",
            (0x85, _) => "error in the supply of data",
            (0x87, _) => "access error",
            _ => "unknown error class",
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:02X} {:02X})", self.meaning(), self.class, self.code)
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
        assert_eq!(HeaderError { class: 0x87, code: 2 }.to_string(), "access error (87 02)");
    }
}
