//! What an answer has to look like to be the answer to a request. Pure.

use s7_wire::{Answer, Budget, ITEMS_MAX, Item, Pdu, ReadAnswer, ReturnCode, WriteAnswer, WriteItem};

use super::error::ClientError;

/// The answer to a request, matched by reference, function, item count and every length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To a read: each item has either the length that was asked for, or a code that is not `FF` and no data.
    ///
    /// Data are slices of the receive buffer: copy out what you keep.
    Read(ReadAnswer),
    /// To a write: one code an item.
    Write(WriteAnswer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Read,
    Write,
}

impl Function {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// What the answer to one request has to be. Held in place: asking allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    function: Function,
    items: usize,
    /// Bytes of each item; a PDU has at most 960.
    lengths: [u16; ITEMS_MAX],
}

impl Expected {
    /// Of a read; `None` when the request or its answer does not fit the PDU.
    pub fn of_read(items: &[Item], pdu_length: u16) -> Option<Self> {
        Self::within(Function::Read, Budget::read(pdu_length), items.iter())
    }

    /// Of a write; `None` when the request or its answer does not fit the PDU.
    pub fn of_write(items: &[WriteItem<'_>], pdu_length: u16) -> Option<Self> {
        Self::within(Function::Write, Budget::write(pdu_length), items.iter().map(|write| &write.item))
    }

    fn within<'i>(
        function: Function,
        mut budget: Budget,
        items: impl Iterator<Item = &'i Item>,
    ) -> Option<Self> {
        let mut lengths = [0; ITEMS_MAX];
        for item in items {
            if !budget.take(item) {
                return None;
            }
            lengths[budget.items() - 1] = u16::try_from(item.payload_bytes()?).ok()?;
        }
        Some(Self { function, items: budget.items(), lengths })
    }

    /// Checks the whole answer before any of it becomes data.
    pub fn check(&self, pdu: &Pdu) -> Result<Reply, ClientError> {
        let reference = pdu.reference;
        match (self.function, Answer::decode(pdu)?) {
            (_, Answer::Refused(error)) => Err(ClientError::of_job(error)),
            (Function::Read, Answer::Read(answer)) => {
                self.check_count(reference, answer.items.len())?;
                self.check_lengths(reference, &answer)?;
                Ok(Reply::Read(answer))
            }
            (Function::Write, Answer::Write(answer)) => {
                self.check_count(reference, answer.len())?;
                Ok(Reply::Write(answer))
            }
            _ => Err(ClientError::Function { reference, expected: self.function.name() }),
        }
    }

    fn check_count(&self, reference: u16, found: usize) -> Result<(), ClientError> {
        let expected = self.items;
        if found == expected { Ok(()) } else { Err(ClientError::ItemCount { reference, expected, found }) }
    }

    fn check_lengths(&self, reference: u16, answer: &ReadAnswer) -> Result<(), ClientError> {
        for (index, (data, expected)) in answer.items.iter().zip(self.lengths).enumerate() {
            let (expected, found) = (usize::from(expected), data.payload.len());
            if data.code == ReturnCode::Success && found != expected {
                return Err(ClientError::ItemLength { reference, index, expected, found });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_no_pdu_is_not_expected() {
        let items = |count, bytes| vec![Item::db_bytes(1, 0, bytes); count];
        assert!(Expected::of_read(&items(1, 222), 240).is_some());
        assert!(Expected::of_read(&items(1, 223), 240).is_none());
        assert!(Expected::of_read(&items(19, 2), 240).is_some());
        assert!(Expected::of_read(&items(20, 2), 240).is_none());
        assert!(Expected::of_read(&items(20, 2), 480).is_some());
        assert!(Expected::of_read(&items(21, 2), 960).is_none());
        let payload = [0; 213];
        let write =
            |bytes: u16| [WriteItem::new(Item::db_bytes(1, 0, bytes), &payload[..usize::from(bytes)])];
        assert!(Expected::of_write(&write(212), 240).is_some());
        assert!(Expected::of_write(&write(213), 240).is_none());
    }
}
