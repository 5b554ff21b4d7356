//! Error words: sixteen bits that say why a PLC refused a whole service. One vocabulary in two places: class and code of an
//! answer's header, and the parameter part of a userdata answer.

use std::fmt;

/// An error word; 0 means: no error.
///
/// ```
/// use s7_wire::ErrorWord;
///
/// let word = ErrorWord(0xd241);
/// assert_eq!(word.to_string(), "not permitted at this protection level (D2 41)");
/// assert_eq!(word.advice(), "log in with the CPU's password first, or lower the protection level in its properties");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorWord(pub u16);

impl ErrorWord {
    /// No error.
    pub const NONE: Self = Self(0);
    /// The service is not implemented; on an S7-1200 or 1500 also: PUT/GET access is switched off.
    pub const FUNCTION_UNAVAILABLE: Self = Self(0x8104);
    /// Request or answer would be longer than the negotiated PDU.
    pub const PDU_LENGTH: Self = Self(0x8500);
    /// At least one block of the request does not exist.
    pub const BLOCK_NOT_FOUND: Self = Self(0xd209);
    /// The protection level asks for a password.
    pub const PASSWORD_NEEDED: Self = Self(0xd241);
    /// The list (SZL) with this id or index is not available.
    pub const SZL_UNAVAILABLE: Self = Self(0xd402);
    /// The password was wrong.
    pub const PASSWORD_WRONG: Self = Self(0xd602);
    /// There is no password to give: the connection is free already.
    pub const PASSWORD_NOT_NEEDED: Self = Self(0xd604);
    /// There is no password at all, so none to give or to take back.
    pub const PASSWORD_MISSING: Self = Self(0xd605);
    /// A date or time that does not exist.
    pub const CLOCK_VALUE: Self = Self(0xdc01);

    /// Whether this is an error at all.
    pub const fn is_error(self) -> bool {
        self.0 != 0
    }

    /// What the word means; its class decides where the word itself is not known.
    pub const fn meaning(self) -> &'static str {
        match find(self.0) {
            Some(known) => known.1,
            None => class(self.0).0,
        }
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match find(self.0) {
            Some(known) => known.2,
            None => class(self.0).1,
        }
    }

    /// Every word that this crate has a name for, smallest first.
    pub fn known() -> impl ExactSizeIterator<Item = Self> {
        KNOWN.iter().map(|known| Self(known.0))
    }
}

impl fmt::Display for ErrorWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [class, code] = self.0.to_be_bytes();
        write!(f, "{} ({class:02X} {code:02X})", self.meaning())
    }
}

/// A word, what it means, what to do.
type Known = (u16, &'static str, &'static str);

const fn find(word: u16) -> Option<Known> {
    let mut index = 0;
    while index < KNOWN.len() {
        if KNOWN[index].0 == word {
            return Some(KNOWN[index]);
        }
        index += 1;
    }
    None
}

/// Meaning and advice for words without a name of their own.
const fn class(word: u16) -> (&'static str, &'static str) {
    match word >> 8 {
        0x01 | 0x80 => ("block transfer failed", RETRY),
        0x81 => ("application relationship error", UNSUPPORTED),
        0x82 => ("object definition error", ADDRESS),
        0x83 => ("no resources available", RESOURCES),
        0x84 => ("error while processing the service", RETRY),
        0x85 => ("error in the supply of data", REQUEST),
        0x87 => ("access error", ADDRESS),
        0xd0 => ("test function failed", REQUEST),
        0xd2 => ("block function failed", BLOCK),
        0xd4 => ("information function failed", UNSUPPORTED),
        0xd6 => ("password function failed", PASSWORD),
        0xd8 => ("job on variables failed", ADDRESS),
        0xdc => ("clock function failed", CLOCK),
        0xef => ("protocol error", REQUEST),
        _ => ("unknown error class", "note the word and look it up in the CPU's manual"),
    }
}

const NOTHING: &str = "nothing to do";
const REQUEST: &str = "the PLC could not make sense of the request: note it, and check what built it";
const UNSUPPORTED: &str = "do without it: this CPU does not offer the service";
const PUT_GET: &str =
    "on an S7-1200 or 1500 permit PUT/GET access in the CPU's properties; elsewhere do without the service";
const PDU: &str = "ask for fewer or shorter items, so that request and answer fit the negotiated PDU";
const ADDRESS: &str = "compare area, block number, offset and length with the program in the PLC";
const RESOURCES: &str = "try again later, with fewer connections or jobs at once";
const RETRY: &str = "try again later; where it stays, look into the CPU's diagnostic buffer";
const MODE: &str = "check whether the CPU is in RUN or STOP: the service is not for every mode";
const BLOCK: &str = "list the CPU's blocks and check type and number";
const BLOCK_CONTENT: &str = "compile the block for this CPU once more and load it again";
const MEMORY: &str = "free memory in the CPU: delete blocks that are not needed, or compress";
const PROTECTION: &str =
    "log in with the CPU's password first, or lower the protection level in its properties";
const PASSWORD: &str = "check the password";
const CLOCK: &str = "send a date that exists, from 1990 to 2089, as eight bytes of BCD";

/// By word, so that a reader finds one; a test keeps the order.
#[rustfmt::skip]
const KNOWN: [Known; 82] = [
    (0x0000, "no error", NOTHING),
    (0x0110, "no such block number", BLOCK),
    (0x0111, "request of a wrong length", REQUEST),
    (0x0112, "wrong parameter", REQUEST),
    (0x0113, "no such block type", BLOCK),
    (0x0114, "block not found", BLOCK),
    (0x0115, "block exists already", "delete the block first, or load under another number"),
    (0x0116, "block is write-protected", PROTECTION),
    (0x0117, "block is too large", MEMORY),
    (0x0118, "block number not allowed", BLOCK),
    (0x0119, "wrong password", PASSWORD),
    (0x011a, "no resources in the programming device", RESOURCES),
    (0x011b, "no resources in the PLC", RESOURCES),
    (0x011c, "protocol error", REQUEST),
    (0x011d, "too many blocks", MEMORY),
    (0x011f, "the buffer for the answer is too short", PDU),
    (0x0120, "end of the list of blocks", NOTHING),
    (0x0140, "not enough memory", MEMORY),
    (0x0141, "no resources for the job", RESOURCES),
    (0x8001, "not possible in the block's present state", RETRY),
    (0x8003, "block transfer was cut short", RETRY),
    (0x8100, "service not known to the module", UNSUPPORTED),
    (0x8104, "function not available, or PUT/GET access is off", PUT_GET),
    (0x8204, "contradictory type of an object", ADDRESS),
    (0x8205, "a block copied before is still waiting to be linked in", RETRY),
    (0x8301, "not enough memory", MEMORY),
    (0x8302, "not enough resources", RESOURCES),
    (0x8304, "no more uploads at the same time", RESOURCES),
    (0x8305, "function not available now", RETRY),
    (0x8306, "not enough work memory", MEMORY),
    (0x8307, "not enough retentive memory", MEMORY),
    (0x8401, "services in a wrong order", REQUEST),
    (0x8402, "not possible in the object's present state", MODE),
    (0x8404, "the function cannot be carried out", RETRY),
    (0x8405, "the partner block is disabled", MODE),
    (0x8500, "longer than the negotiated PDU", PDU),
    (0x8503, "the service was cancelled by the module", RETRY),
    (0x8701, "no such address in the partner", ADDRESS),
    (0x8702, "service not supported by the module", UNSUPPORTED),
    (0x8703, "access refused", PROTECTION),
    (0x8704, "the object is damaged", BLOCK_CONTENT),
    (0xd001, "no such job number", REQUEST),
    (0xd002, "no such variant of the job", REQUEST),
    (0xd003, "test function not supported by the module", UNSUPPORTED),
    (0xd041, "no such list id", UNSUPPORTED),
    (0xd042, "no such address", ADDRESS),
    (0xd043, "the job referred to does not exist", REQUEST),
    (0xd061, "no memory for the job", RESOURCES),
    (0xd062, "the list of jobs is full", RESOURCES),
    (0xd081, "not permitted in the present mode", MODE),
    (0xd0a1, "not permitted at this protection level", PROTECTION),
    (0xd0a2, "another function is changing memory", RETRY),
    (0xd201, "wrong syntax of a block name", BLOCK),
    (0xd202, "wrong syntax of the parameters", REQUEST),
    (0xd205, "block exists already in the work memory", "delete the block first, or load under another number"),
    (0xd206, "block exists already in the load memory", "delete the block first, or load under another number"),
    (0xd208, "too many blocks copied", MEMORY),
    (0xd209, "block not found", BLOCK),
    (0xd20a, "too many blocks in one job", "name fewer blocks at a time"),
    (0xd20c, "no priority class for this organisation block", BLOCK),
    (0xd20e, "no further block", NOTHING),
    (0xd20f, "block longer than this CPU takes", MEMORY),
    (0xd210, "block number not allowed", BLOCK),
    (0xd219, "wrong lengths in the block's header", BLOCK_CONTENT),
    (0xd220, "block in a language that the CPU does not know", BLOCK_CONTENT),
    (0xd240, "another function has not ended yet", RETRY),
    (0xd241, "not permitted at this protection level", PROTECTION),
    (0xd252, "wrong checksum", BLOCK_CONTENT),
    (0xd401, "information function not available", UNSUPPORTED),
    (0xd402, "list (SZL) not available: no such id or index", UNSUPPORTED),
    (0xd404, "too many subscribers", RESOURCES),
    (0xd405, "service not supported, or wrong syntax of its parameters", UNSUPPORTED),
    (0xd406, "information not available at present", RETRY),
    (0xd601, "wrong syntax of the parameters", REQUEST),
    (0xd602, "wrong password", PASSWORD),
    (0xd603, "the connection is logged in already", NOTHING),
    (0xd604, "no password is needed: the connection is free already", NOTHING),
    (0xd605, "there is no password to give or to take back", NOTHING),
    (0xd801, "at least one address is wrong", ADDRESS),
    (0xd802, "no such job", REQUEST),
    (0xdc01, "no such date or time", CLOCK),
    (0xffff, "the answer did not come in time", RETRY),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_order_and_once() {
        assert!(KNOWN.is_sorted_by(|before, after| before.0 < after.0));
        assert_eq!(ErrorWord::known().len(), KNOWN.len());
    }

    #[test]
    fn every_word_has_a_meaning_and_an_advice() {
        for word in (0..=u16::MAX).map(ErrorWord) {
            assert!(!word.meaning().is_empty() && !word.advice().is_empty());
        }
        assert_eq!(ErrorWord(0xd2ff).to_string(), "block function failed (D2 FF)");
        assert_eq!(ErrorWord(0x4711).to_string(), "unknown error class (47 11)");
    }

    #[test]
    fn the_named_ones_are_known() {
        for word in [
            ErrorWord::NONE,
            ErrorWord::FUNCTION_UNAVAILABLE,
            ErrorWord::PDU_LENGTH,
            ErrorWord::BLOCK_NOT_FOUND,
            ErrorWord::PASSWORD_NEEDED,
            ErrorWord::SZL_UNAVAILABLE,
            ErrorWord::PASSWORD_WRONG,
            ErrorWord::PASSWORD_NOT_NEEDED,
            ErrorWord::PASSWORD_MISSING,
            ErrorWord::CLOCK_VALUE,
        ] {
            assert!(ErrorWord::known().any(|known| known == word), "{word}");
        }
        assert!(ErrorWord(1).is_error() && !ErrorWord::NONE.is_error());
    }
}
