//! TPKT: the four bytes that cut a TCP stream into packets. Knows nothing of what is inside.
//!
//! Source: RFC 1006 §6.

use thiserror::Error;

/// The only version there is.
pub const VERSION: u8 = 3;
/// Version, reserved, and the length in two bytes.
pub const HEADER_BYTES: usize = 4;
/// A header and the shortest TPDU (a length indicator, a code, one more byte).
pub const LENGTH_MIN: u16 = 7;
/// Longest packet accepted: the largest TPDU of X.224 §13.3.4 (8,192 bytes) behind a header. The length field could claim
/// 65,535, and a peer would then decide how much memory a connection holds.
pub const LENGTH_MAX: u16 = 8192 + HEADER_BYTES as u16;

/// What is wrong with a packet's first bytes; the stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TpktError {
    /// The first byte is not the version.
    #[error(
        "TPKT: expected version {VERSION}, found {found}: the peer does not speak ISO on TCP, check host and port"
    )]
    Version {
        /// The byte that stood there.
        found: u8,
    },
    /// The length field is outside the bounds.
    #[error("TPKT: length must be {LENGTH_MIN}..={LENGTH_MAX}, found {found}: close the connection")]
    Length {
        /// What the field says.
        found: u16,
    },
}

/// The length of the first packet in `bytes`, header included; `None` means: wait for more.
///
/// A wrong version is told from the first byte on, a wrong length as soon as the header is there.
pub fn packet_length(bytes: &[u8]) -> Result<Option<usize>, TpktError> {
    match bytes.first() {
        None => return Ok(None),
        Some(&VERSION) => {}
        Some(&found) => return Err(TpktError::Version { found }),
    }
    let Some(&[_version, _reserved, hi, lo]) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = u16::from_be_bytes([hi, lo]);
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&length) {
        return Err(TpktError::Length { found: length });
    }
    Ok(Some(usize::from(length)))
}

/// The header of a packet of `length` bytes, header included.
pub fn header(length: u16) -> [u8; HEADER_BYTES] {
    let [hi, lo] = length.to_be_bytes();
    [VERSION, 0, hi, lo]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_version_is_told_from_the_first_byte() {
        assert_eq!(packet_length(&[2]), Err(TpktError::Version { found: 2 }));
    }

    #[test]
    fn a_partial_header_asks_for_more() {
        for bytes in [&[][..], &[3], &[3, 0], &[3, 0, 0]] {
            assert_eq!(packet_length(bytes), Ok(None), "{bytes:?}");
        }
    }

    #[test]
    fn lengths_outside_the_bounds_are_refused() {
        assert_eq!(packet_length(&[3, 0, 0, 6]), Err(TpktError::Length { found: 6 }));
        assert_eq!(packet_length(&[3, 0, 0xff, 0xff]), Err(TpktError::Length { found: 0xffff }));
        assert_eq!(packet_length(&[3, 0, 0, 7]), Ok(Some(7)));
        assert_eq!(packet_length(&header(LENGTH_MAX)), Ok(Some(usize::from(LENGTH_MAX))));
    }
}
