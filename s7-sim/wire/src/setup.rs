//! Setup communication: how long a PDU may be, and how many jobs may be outstanding.

use bytes::BytesMut;

use crate::code::HeaderError;
use crate::job::FUNCTION_SETUP;
use crate::pdu::{PduWriter, Rosctr};

/// Shortest PDU length that is negotiated.
pub const PDU_LENGTH_MIN: u16 = 240;
/// Longest PDU length that is negotiated.
pub const PDU_LENGTH_MAX: u16 = 960;

/// Function, reserved byte, and three numbers.
pub(crate) const SETUP_BYTES: usize = 8;

/// What both sides agree on. The same eight bytes ask and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Jobs that the caller may have outstanding.
    pub amq_calling: u16,
    /// Jobs that the called side may have outstanding.
    pub amq_called: u16,
    /// Longest PDU, header included.
    pub pdu_length: u16,
}

impl Setup {
    /// The answer of a PLC with these limits: the smaller of both wishes, the PDU length within 240..=960 and AmQ at least 1.
    ///
    /// Nonsense in the request (a length of 0, no jobs at all) is clamped, as PLCs do.
    pub fn agree(self, pdu_length_max: u16, amq_max: u16) -> Self {
        let amq_max = amq_max.max(1);
        let ceiling = pdu_length_max.clamp(PDU_LENGTH_MIN, PDU_LENGTH_MAX);
        Self {
            amq_calling: self.amq_calling.clamp(1, amq_max),
            amq_called: self.amq_called.clamp(1, amq_max),
            pdu_length: self.pdu_length.clamp(PDU_LENGTH_MIN, ceiling),
        }
    }

    /// Appends the client's job.
    pub fn encode_request(self, out: &mut BytesMut, reference: u16) {
        self.encode(PduWriter::begin(out, Rosctr::Job, reference, HeaderError::NONE));
    }

    /// Appends the server's answer.
    pub fn encode_answer(self, out: &mut BytesMut, reference: u16) {
        self.encode(PduWriter::begin(out, Rosctr::AckData, reference, HeaderError::NONE));
    }

    fn encode(self, mut writer: PduWriter<'_>) {
        writer.put(&[FUNCTION_SETUP, 0]);
        for number in [self.amq_calling, self.amq_called, self.pdu_length] {
            writer.put(&number.to_be_bytes());
        }
        writer.finish().expect("eight bytes fit every packet");
    }

    pub(crate) fn decode(parameter: &[u8]) -> Option<Self> {
        let &[_function, _reserved, a, b, c, d, e, f] = parameter.first_chunk::<SETUP_BYTES>()?;
        if parameter.len() != SETUP_BYTES {
            return None;
        }
        Some(Self {
            amq_calling: u16::from_be_bytes([a, b]),
            amq_called: u16::from_be_bytes([c, d]),
            pdu_length: u16::from_be_bytes([e, f]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_wish_wins_and_nonsense_is_clamped() {
        let wish = |pdu_length, amq| Setup { amq_calling: amq, amq_called: amq, pdu_length };
        assert_eq!(wish(480, 1).agree(960, 8), wish(480, 1));
        assert_eq!(wish(960, 20).agree(240, 8), wish(240, 8));
        assert_eq!(wish(0, 0).agree(960, 8), wish(240, 1));
        assert_eq!(wish(u16::MAX, u16::MAX).agree(u16::MAX, 3), wish(960, 3));
        assert_eq!(wish(480, 1).agree(0, 0), wish(240, 1));
    }
}
