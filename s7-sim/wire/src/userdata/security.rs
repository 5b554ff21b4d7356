//! The session's password. Group Security.
//!
//! It travels padded with spaces to eight bytes, each XORed with 55 and with the byte sent two places before: obscured, not secret.

/// Set the session's password.
pub const SET: u8 = 0x01;
/// Clear it.
pub const CLEAR: u8 = 0x02;

/// Bytes of a password on the wire.
pub const PASSWORD_BYTES: usize = 8;

const MASK: u8 = 0x55;

/// The password's bytes on the wire; `None` unless it is one to eight ASCII characters.
pub fn encode_password(password: &str) -> Option<[u8; PASSWORD_BYTES]> {
    if !password.is_ascii() || password.is_empty() || password.len() > PASSWORD_BYTES {
        return None;
    }
    let mut wire = [b' '; PASSWORD_BYTES];
    wire[..password.len()].copy_from_slice(password.as_bytes());
    for at in 0..PASSWORD_BYTES {
        wire[at] ^= MASK ^ if at < 2 { 0 } else { wire[at - 2] };
    }
    Some(wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_padded_and_chained() {
        // "ab", then spaces: 61^55=34, 62^55=37, 20^55^34=41, 20^55^37=42, 20^55^41=34, ...
        assert_eq!(encode_password("ab"), Some([0x34, 0x37, 0x41, 0x42, 0x34, 0x37, 0x41, 0x42]));
        assert_eq!(encode_password(""), None);
        assert_eq!(encode_password("nine char"), None);
        assert_eq!(encode_password("ü"), None);
    }
}
