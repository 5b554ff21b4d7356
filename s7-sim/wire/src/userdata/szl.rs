//! System status lists (SZL): what a CPU says of itself. Group CPU, subfunction 1.
//!
//! An answer's payload is SZL id, index, record length, record count, records; a long one comes in parts, of which only
//! the first has this head.

use bytes::{BufMut, Bytes, BytesMut};

/// Read SZL.
pub const READ: u8 = 0x01;

/// Which list, and which of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SzlRequest {
    /// The list.
    pub id: u16,
    /// The record; 0 where the list has no indices.
    pub index: u16,
}

impl SzlRequest {
    /// Reads the payload of a request; `None` unless it has four bytes.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let &[a, b, c, d] = payload.first_chunk()?;
        let request = Self { id: u16::from_be_bytes([a, b]), index: u16::from_be_bytes([c, d]) };
        (payload.len() == 4).then_some(request)
    }

    /// The payload of a request.
    pub fn encode(self) -> Bytes {
        let mut payload = BytesMut::with_capacity(4);
        payload.put_u16(self.id);
        payload.put_u16(self.index);
        payload.freeze()
    }
}

/// A whole list, as it is put together from an answer's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Szl {
    /// The list.
    pub id: u16,
    /// The record asked for.
    pub index: u16,
    /// The records, all of one length.
    pub records: Vec<Bytes>,
}

impl Szl {
    /// Bytes before the records: id, index, record length, record count.
    pub const HEAD_BYTES: usize = 8;

    /// Reads a whole list; `None` unless the records fill the payload exactly.
    pub fn decode(payload: &Bytes) -> Option<Self> {
        let head = payload.first_chunk::<{ Self::HEAD_BYTES }>()?;
        let [id, index, length, count] = [0, 2, 4, 6].map(|at| u16::from_be_bytes([head[at], head[at + 1]]));
        let (length, count) = (usize::from(length), usize::from(count));
        let records = payload.slice(Self::HEAD_BYTES..);
        if length * count != records.len() {
            return None;
        }
        let record = |number: usize| records.slice(number * length..(number + 1) * length);
        Some(Self { id, index, records: (0..count).map(record).collect() })
    }

    /// The payload of an answer, whole; all records must be as long as the first.
    pub fn encode(&self) -> Bytes {
        let length = self.records.first().map_or(0, Bytes::len);
        debug_assert!(self.records.iter().all(|record| record.len() == length), "records of one length");
        let mut payload = BytesMut::with_capacity(Self::HEAD_BYTES + length * self.records.len());
        payload.put_u16(self.id);
        payload.put_u16(self.index);
        payload.put_u16(length as u16);
        payload.put_u16(self.records.len() as u16);
        self.records.iter().for_each(|record| payload.put_slice(record));
        payload.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_survives_a_round_trip_and_a_lie_about_its_records_does_not() {
        let records = vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let szl = Szl { id: 0x11, index: 0, records };
        assert_eq!(Szl::decode(&szl.encode()), Some(szl.clone()));
        assert_eq!(Szl::decode(&szl.encode().slice(..13)), None);
        let request = SzlRequest { id: 0x0132, index: 4 };
        assert_eq!(SzlRequest::decode(&request.encode()), Some(request));
        assert_eq!(SzlRequest::decode(&[1, 2, 3]), None);
    }
}
