//! COTP: the TPDUs that open a connection, carry data and end it. Class 0, as S7 uses it; reassembly is the decoder's.
//!
//! Source: X.224 §13 (class 0), RFC 1006.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::tpkt;
use crate::tsap::{TSAP_BYTES_MAX, Tsap};

const CODE_ER: u8 = 0x70;
const CODE_DR: u8 = 0x80;
const CODE_DC: u8 = 0xc0;
const CODE_CC: u8 = 0xd0;
const CODE_CR: u8 = 0xe0;
const CODE_DT: u8 = 0xf0;

const PARAM_TPDU_SIZE: u8 = 0xc0;
const PARAM_CALLING: u8 = 0xc1;
const PARAM_CALLED: u8 = 0xc2;

const EOT: u8 = 0x80;
/// Length indicator, code, EOT and number.
pub const DATA_HEADER_BYTES: usize = 3;

/// Why a TPDU cannot be read; the connection is past saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CotpError {
    /// The length indicator does not fit the packet.
    #[error("COTP: length indicator {indicator} does not fit a TPDU of {bytes} bytes")]
    Length {
        /// What the first byte says.
        indicator: u8,
        /// What the packet holds.
        bytes: usize,
    },
    /// A TPDU that class 0 does not have.
    #[error("COTP: expected CR, CC, DT, DR, DC or ER, found code {found:02X}")]
    Code {
        /// The code byte.
        found: u8,
    },
    /// Any class but 0.
    #[error("COTP: expected class 0, found class byte {found:02X}")]
    Class {
        /// The class and options byte.
        found: u8,
    },
    /// A parameter runs past the header, or has a length it cannot have.
    #[error("COTP: parameter {code:02X} has a length of {length}, which it cannot have here")]
    Parameter {
        /// The parameter's code.
        code: u8,
        /// Its length field.
        length: usize,
    },
    /// A TPDU size outside 128 to 8192 bytes.
    #[error("COTP: TPDU size must be 07..=0D (128 to 8192 bytes), found {found:02X}")]
    TpduSize {
        /// The exponent found.
        found: u8,
    },
}

/// Largest TPDU a side takes, as a power of two: 7 (128 bytes) to 13 (8,192).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TpduSize(u8);

impl TpduSize {
    /// 1,024 bytes: room for every PDU that S7 negotiates.
    pub const B1024: Self = Self(10);

    /// The size with this exponent; `None` outside 7..=13.
    pub const fn from_exponent(exponent: u8) -> Option<Self> {
        if exponent >= 7 && exponent <= 13 { Some(Self(exponent)) } else { None }
    }

    /// The exponent, as it travels.
    pub const fn exponent(self) -> u8 {
        self.0
    }

    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }
}

/// What CR and CC carry: references, TPDU size and both TSAPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The receiver's reference; 0 in a CR.
    pub destination: u16,
    /// The sender's reference.
    pub source: u16,
    /// The TPDU size proposed or agreed.
    pub tpdu_size: Option<TpduSize>,
    /// Who calls.
    pub calling: Option<Tsap>,
    /// Who is called.
    pub called: Option<Tsap>,
}

impl Connection {
    /// What a client asks with.
    pub const fn request(calling: Tsap, called: Tsap) -> Self {
        Self {
            destination: 0,
            source: 1,
            tpdu_size: Some(TpduSize::B1024),
            calling: Some(calling),
            called: Some(called),
        }
    }

    /// The answer to this request: the TPDU size echoed (1,024 if none was proposed) and both TSAPs, so that with S7's two-byte
    /// TSAPs the packet has the 22 bytes that several clients insist on.
    pub fn confirm(&self, source: u16) -> Self {
        Self {
            destination: self.source,
            source,
            tpdu_size: Some(self.tpdu_size.unwrap_or(TpduSize::B1024)),
            calling: Some(self.calling.unwrap_or(Tsap::two(0, 0))),
            called: Some(self.called.unwrap_or(Tsap::two(0, 0))),
        }
    }

    /// Appends a CR packet.
    pub fn encode_request(&self, out: &mut BytesMut) {
        self.encode(CODE_CR, out);
    }

    /// Appends a CC packet.
    pub fn encode_confirm(&self, out: &mut BytesMut) {
        self.encode(CODE_CC, out);
    }

    fn encode(&self, code: u8, out: &mut BytesMut) {
        let selector_bytes = |tsap: &Option<Tsap>| tsap.as_ref().map_or(0, |tsap| 2 + tsap.as_bytes().len());
        let size_bytes = if self.tpdu_size.is_some() { 3 } else { 0 };
        // At most 6 + 3 + 2 · 22 = 53: fits the indicator and the packet's length.
        let indicator = 6 + size_bytes + selector_bytes(&self.calling) + selector_bytes(&self.called);
        out.put_slice(&tpkt::header((tpkt::HEADER_BYTES + 1 + indicator) as u16));
        out.put_u8(indicator as u8);
        out.put_u8(code);
        out.put_u16(self.destination);
        out.put_u16(self.source);
        out.put_u8(0);
        if let Some(size) = self.tpdu_size {
            out.put_slice(&[PARAM_TPDU_SIZE, 1, size.exponent()]);
        }
        put_selector(PARAM_CALLING, &self.calling, out);
        put_selector(PARAM_CALLED, &self.called, out);
    }
}

/// A DR: the connection is refused or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// The receiver's reference.
    pub destination: u16,
    /// The sender's reference.
    pub source: u16,
    /// Why, by X.224 §13.5.3; see the constants.
    pub reason: u8,
}

impl Disconnect {
    /// No reason given.
    pub const UNSPECIFIED: u8 = 0;
    /// Too many connections: what a PLC without a free slot says.
    pub const CONGESTION: u8 = 1;
    /// Nobody is attached to the called TSAP: a wrong rack or slot.
    pub const NOT_ATTACHED: u8 = 2;
    /// The called TSAP is not known.
    pub const ADDRESS_UNKNOWN: u8 = 3;
    /// A normal end, asked for by the user.
    pub const NORMAL: u8 = 0x80;

    /// Appends a DR packet.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&tpkt::header(11));
        out.put_slice(&[6, CODE_DR]);
        out.put_u16(self.destination);
        out.put_u16(self.source);
        out.put_u8(self.reason);
    }
}

/// One TPDU, as a packet carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tpdu {
    /// CR.
    ConnectRequest(Connection),
    /// CC.
    ConnectConfirm(Connection),
    /// DT: a fragment of user data; with `eot` the last one.
    Data {
        /// End of the user data.
        eot: bool,
        /// The fragment, a slice of the packet.
        payload: Bytes,
    },
    /// DR.
    DisconnectRequest(Disconnect),
    /// DC: the answer to a DR.
    DisconnectConfirm,
    /// ER: the peer could not read what it got; with X.224's reject cause.
    Error {
        /// The reject cause.
        cause: u8,
    },
}

impl Tpdu {
    /// Reads one TPDU: a packet without its TPKT header.
    pub fn decode(mut packet: Bytes) -> Result<Self, CotpError> {
        let bytes = packet.len();
        let indicator = packet.first().copied().unwrap_or(0);
        let length_error = CotpError::Length { indicator, bytes };
        let header_bytes = 1 + usize::from(indicator);
        if header_bytes < 2 || header_bytes > bytes {
            return Err(length_error);
        }
        let mut header = packet.split_to(header_bytes);
        header.advance(1);
        match header.get_u8() {
            CODE_DT => {
                let number = header.try_get_u8().map_err(|_| length_error)?;
                Ok(Self::Data { eot: number & EOT != 0, payload: packet })
            }
            CODE_CR => decode_connection(header, &packet, length_error).map(Self::ConnectRequest),
            CODE_CC => decode_connection(header, &packet, length_error).map(Self::ConnectConfirm),
            CODE_DR => decode_disconnect(header).ok_or(length_error).map(Self::DisconnectRequest),
            CODE_DC => Ok(Self::DisconnectConfirm),
            CODE_ER => decode_cause(header).ok_or(length_error).map(|cause| Self::Error { cause }),
            found => Err(CotpError::Code { found }),
        }
    }
}

/// Appends a DC packet: the answer to a DR.
pub fn encode_disconnect_confirm(destination: u16, source: u16, out: &mut BytesMut) {
    out.put_slice(&tpkt::header(10));
    out.put_slice(&[5, CODE_DC]);
    out.put_u16(destination);
    out.put_u16(source);
}

/// Appends `user_data` as DT packets of at most `fragment_bytes` (at least 1) each, EOT on the last.
///
/// For peers with a small TPDU size, and for tests of reassembly; the encoders of jobs and answers write one DT.
pub fn encode_fragments(user_data: &[u8], fragment_bytes: usize, out: &mut BytesMut) {
    let longest = usize::from(tpkt::LENGTH_MAX) - tpkt::HEADER_BYTES - DATA_HEADER_BYTES;
    let mut fragments = user_data.chunks(fragment_bytes.clamp(1, longest)).peekable();
    while let Some(fragment) = fragments.next() {
        let length = tpkt::HEADER_BYTES + DATA_HEADER_BYTES + fragment.len();
        out.put_slice(&tpkt::header(length as u16));
        out.put_slice(&data_header(fragments.peek().is_none()));
        out.put_slice(fragment);
    }
}

/// The header of a DT.
pub(crate) const fn data_header(eot: bool) -> [u8; DATA_HEADER_BYTES] {
    [2, CODE_DT, if eot { EOT } else { 0 }]
}

fn put_selector(code: u8, tsap: &Option<Tsap>, out: &mut BytesMut) {
    if let Some(tsap) = tsap {
        out.put_slice(&[code, tsap.as_bytes().len() as u8]);
        out.put_slice(tsap.as_bytes());
    }
}

fn decode_connection(
    mut fixed: Bytes,
    rest: &[u8],
    length_error: CotpError,
) -> Result<Connection, CotpError> {
    // Class 0 has no user data in CR and CC: what follows the header is a lie about its length.
    if fixed.len() < 5 || !rest.is_empty() {
        return Err(length_error);
    }
    let (destination, source, class) = (fixed.get_u16(), fixed.get_u16(), fixed.get_u8());
    if class >> 4 != 0 {
        return Err(CotpError::Class { found: class });
    }
    let mut connection = Connection { destination, source, tpdu_size: None, calling: None, called: None };
    let mut parameters: &[u8] = &fixed;
    while let &[code, length, ref tail @ ..] = parameters {
        let parameter_error = CotpError::Parameter { code, length: usize::from(length) };
        let (value, next) = tail.split_at_checked(usize::from(length)).ok_or(parameter_error)?;
        match code {
            PARAM_TPDU_SIZE => connection.tpdu_size = Some(decode_size(value, parameter_error)?),
            PARAM_CALLING => connection.calling = Some(Tsap::from_bytes(value).ok_or(parameter_error)?),
            PARAM_CALLED => connection.called = Some(Tsap::from_bytes(value).ok_or(parameter_error)?),
            _ => {} // X.224 §13.3.4: parameters that class 0 does not know are ignored
        }
        parameters = next;
    }
    match parameters {
        [] => Ok(connection),
        &[code, ..] => Err(CotpError::Parameter { code, length: 0 }),
    }
}

fn decode_size(value: &[u8], parameter_error: CotpError) -> Result<TpduSize, CotpError> {
    let &[exponent] = value else { return Err(parameter_error) };
    TpduSize::from_exponent(exponent).ok_or(CotpError::TpduSize { found: exponent })
}

fn decode_disconnect(mut fixed: Bytes) -> Option<Disconnect> {
    Some(Disconnect {
        destination: fixed.try_get_u16().ok()?,
        source: fixed.try_get_u16().ok()?,
        reason: fixed.try_get_u8().ok()?,
    })
}

fn decode_cause(mut fixed: Bytes) -> Option<u8> {
    fixed.try_get_u16().ok()?;
    fixed.try_get_u8().ok()
}

const _: () = assert!(TSAP_BYTES_MAX <= u8::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Tpdu, CotpError> {
        Tpdu::decode(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_confirm_has_22_bytes_even_when_the_request_named_nothing() {
        let request = Connection { destination: 0, source: 7, tpdu_size: None, calling: None, called: None };
        let mut out = BytesMut::new();
        request.confirm(3).encode_confirm(&mut out);
        assert_eq!(out.len(), 22);
        let confirm = decode(&out[tpkt::HEADER_BYTES..]).unwrap();
        assert_eq!(confirm, Tpdu::ConnectConfirm(request.confirm(3)));
    }

    #[test]
    fn parameters_that_run_past_the_header_are_refused() {
        let bytes = [9, CODE_CR, 0, 0, 0, 1, 0, PARAM_CALLING, 2, 1];
        assert_eq!(decode(&bytes), Err(CotpError::Parameter { code: PARAM_CALLING, length: 2 }));
        let stray = [7, CODE_CR, 0, 0, 0, 1, 0, PARAM_CALLED];
        assert_eq!(decode(&stray), Err(CotpError::Parameter { code: PARAM_CALLED, length: 0 }));
    }

    #[test]
    fn unknown_parameters_are_skipped() {
        let bytes = [9, CODE_CR, 0, 0, 0, 1, 0, 0xaa, 1, 5];
        assert!(matches!(decode(&bytes), Ok(Tpdu::ConnectRequest(_))));
    }

    #[test]
    fn class_size_code_and_length_are_checked() {
        assert_eq!(decode(&[6, CODE_CR, 0, 0, 0, 1, 0x20]), Err(CotpError::Class { found: 0x20 }));
        let size = [9, CODE_CR, 0, 0, 0, 1, 0, PARAM_TPDU_SIZE, 1, 14];
        assert_eq!(decode(&size), Err(CotpError::TpduSize { found: 14 }));
        assert_eq!(decode(&[2, 0x10, 0x80]), Err(CotpError::Code { found: 0x10 }));
        assert_eq!(decode(&[9, CODE_DT, 0x80]), Err(CotpError::Length { indicator: 9, bytes: 3 }));
        assert_eq!(decode(&[1, CODE_DT, 0x80]), Err(CotpError::Length { indicator: 1, bytes: 3 }));
        assert_eq!(decode(&[0, 0, 0]), Err(CotpError::Length { indicator: 0, bytes: 3 }));
    }

    #[test]
    fn a_disconnect_survives_a_round_trip() {
        let refusal = Disconnect { destination: 4, source: 0, reason: Disconnect::CONGESTION };
        let mut out = BytesMut::new();
        refusal.encode(&mut out);
        assert_eq!(decode(&out[tpkt::HEADER_BYTES..]), Ok(Tpdu::DisconnectRequest(refusal)));
    }

    #[test]
    fn fragments_end_with_eot_and_only_the_last_does() {
        let mut out = BytesMut::new();
        encode_fragments(b"abcde", 2, &mut out);
        assert_eq!(&out[..], b"\x03\0\0\x09\x02\xf0\0ab\x03\0\0\x09\x02\xf0\0cd\x03\0\0\x08\x02\xf0\x80e");
    }
}
