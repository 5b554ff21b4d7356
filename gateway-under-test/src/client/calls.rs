//! Reads and writes of any size: planned, asked with as much under way as may be, put together.

use std::ops::{Deref, DerefMut};

use bytes::{Bytes, BytesMut};
use s7_wire::{Item, ItemData, ReturnCode, WriteItem};
use tokio::io::{AsyncRead, AsyncWrite};

use super::plan::{Coalesced, Merge, Part, ReadPlan, WritePlan};
use super::{Client, ClientError, ItemRefusal, Reply};

/// What became of one item that was to be read.
pub type ReadResult = Result<Bytes, ItemRefusal>;
/// What became of one item that was to be written.
pub type WriteResult = Result<(), ItemRefusal>;

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Reads one item, of any length. A refusal by the PLC is an error.
    ///
    /// What comes is a slice of the receive buffer: copy out what you keep.
    pub async fn read_one(&mut self, item: &Item) -> Result<Bytes, ClientError> {
        let items = std::slice::from_ref(item);
        let mut call = Call::begin(self)?;
        match call.ask_read(0, items) {
            Ok(()) => Ok(take_first(&call.next().await?.reply?)?),
            Err(ClientError::TooLarge { .. }) => {
                Ok(call.read_planned(items).await?.pop().expect("one result an item")?)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads any number of items of any length; one result an item, in their order.
    ///
    /// What fits one PDU goes out as it is. Otherwise neighbours are read together, long items in parts, and as many
    /// requests are under way as the PLC grants. An item in parts is not consistent: the PLC's program may run between
    /// two of them. A job that is refused or not answered as a whole is an error, and gives no data at all.
    ///
    /// What comes are slices of the receive buffer: copy out what you keep.
    pub async fn read(&mut self, items: &[Item]) -> Result<Vec<ReadResult>, ClientError> {
        let mut call = Call::begin(self)?;
        if items.is_empty() {
            return Ok(Vec::new());
        }
        match call.ask_read(0, items) {
            Ok(()) => Ok(datas(&call.next().await?.reply?).map(outcome).collect()),
            Err(ClientError::TooLarge { .. }) => call.read_planned(items).await,
            Err(error) => Err(error),
        }
    }

    /// Writes one item, of any length. A refusal by the PLC is an error.
    pub async fn write_one(&mut self, item: Item, payload: &[u8]) -> Result<(), ClientError> {
        let results = self.write(&[WriteItem::new(item, payload)]).await?;
        results.into_iter().try_for_each(|result| Ok(result?))
    }

    /// Writes any number of items of any length, in their order; one result an item.
    ///
    /// Each request waits for the one before, since a PLC may work on two in any order. An item longer than a PDU is
    /// written in parts, and refused when one of its parts is. After an error nothing more is written; what went out
    /// before it may have been carried out, also where its answer did not come.
    pub async fn write(&mut self, items: &[WriteItem<'_>]) -> Result<Vec<WriteResult>, ClientError> {
        let mut call = Call::begin(self)?;
        let plan = WritePlan::new(items, call.agreed().pdu_length)?;
        let mut results = vec![Ok(()); items.len()];
        let mut batch = Vec::new();
        for request in &plan.requests {
            let parts = &plan.parts[request.clone()];
            batch.clear();
            batch.extend(parts.iter().map(|part| WritePlan::write(part, items)));
            call.ask_write(0, &batch)?;
            note_refusals(&call.next().await?.reply?, parts, &mut results);
        }
        Ok(results)
    }

    async fn read_planned(&mut self, items: &[Item]) -> Result<Vec<ReadResult>, ClientError> {
        let pdu_length = self.agreed().pdu_length;
        let plan = ReadPlan::new(items, pdu_length, Merge::Neighbours)?;
        let answers = self.carry_out(&plan).await?;
        let mut results = assemble(items, &plan, &answers);
        let again = refused_together(&plan, &answers);
        if !again.is_empty() {
            // One of several that were read together has a bad address, say: now each of them answers for itself.
            let apart: Vec<Item> = again.iter().map(|&wish| items[wish]).collect();
            let plan = ReadPlan::new(&apart, pdu_length, Merge::Nothing)?;
            let answers = self.carry_out(&plan).await?;
            for (wish, result) in again.into_iter().zip(assemble(&apart, &plan, &answers)) {
                results[wish] = result;
            }
        }
        Ok(results)
    }

    /// Carries out a plan, with as many requests under way as may be; the answer to each of its items.
    ///
    /// After an error nothing more is asked, and the answers under way are still awaited: so fewer of them come late.
    async fn carry_out(&mut self, plan: &ReadPlan) -> Result<Vec<ItemData>, ClientError> {
        let mut answers = vec![None; plan.items.len()];
        let (mut asked, mut failed) = (0, None);
        loop {
            while failed.is_none() && asked < plan.requests.len() && self.has_room() {
                self.ask_read(asked, &plan.items[plan.requests[asked].clone()])?;
                asked += 1;
            }
            if self.under_way() == 0 {
                let all =
                    answers.into_iter().map(|data| data.expect("every request is settled with its items"));
                return failed.map_or_else(|| Ok(all.collect()), Err);
            }
            let settled = self.next().await?;
            match settled.reply {
                Ok(reply) => {
                    let places = &mut answers[plan.requests[settled.tag].clone()];
                    places.iter_mut().zip(datas(&reply)).for_each(|(place, data)| *place = Some(data));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
    }
}

/// Notes for each item of the batch the first code with which a part of it was refused.
fn note_refusals(reply: &Reply, parts: &[Part], results: &mut [WriteResult]) {
    let Reply::Write(answer) = reply else { return };
    for (part, code) in parts.iter().zip(answer.codes()) {
        if code != ReturnCode::Success && results[part.wish].is_ok() {
            results[part.wish] = Err(ItemRefusal(code));
        }
    }
}

/// The items of the batch of which a part was refused together with others, in their order.
fn refused_together(plan: &ReadPlan, answers: &[ItemData]) -> Vec<usize> {
    let refused =
        |(read, data): &(&Coalesced, &ItemData)| read.parts.len() > 1 && data.code != ReturnCode::Success;
    let reads = plan.reads.iter().zip(answers).filter(refused);
    let mut wishes: Vec<usize> =
        reads.flat_map(|(read, _)| read.parts.iter().map(|(part, _)| part.wish)).collect();
    wishes.sort_unstable();
    wishes.dedup();
    wishes
}

/// Puts the parts of each item of the batch together.
fn assemble(items: &[Item], plan: &ReadPlan, answers: &[ItemData]) -> Vec<ReadResult> {
    let mut results: Vec<ReadResult> = vec![Ok(Bytes::new()); items.len()];
    let mut joined: Vec<BytesMut> = vec![BytesMut::new(); items.len()];
    for (read, data) in plan.reads.iter().zip(answers) {
        let answer = outcome(data.clone());
        for &(part, offset) in &read.parts {
            let whole = items[part.wish].payload_bytes() == Some(part.bytes);
            match (&answer, &results[part.wish]) {
                (Err(refusal), _) => results[part.wish] = Err(*refusal),
                (Ok(payload), _) if whole => {
                    results[part.wish] = Ok(payload.slice(offset..offset + part.bytes));
                }
                (Ok(payload), Ok(_)) => {
                    let joined = &mut joined[part.wish];
                    joined.resize(joined.len().max(part.offset + part.bytes), 0);
                    joined[part.offset..][..part.bytes].copy_from_slice(&payload[offset..][..part.bytes]);
                }
                (Ok(_), Err(_)) => {}
            }
        }
    }
    for (result, joined) in results.iter_mut().zip(joined) {
        if result.is_ok() && !joined.is_empty() {
            *result = Ok(joined.freeze());
        }
    }
    results
}

/// The items of a reply to a read.
fn datas(reply: &Reply) -> impl Iterator<Item = ItemData> {
    let items = if let Reply::Read(answer) = reply { Some(answer.items.iter()) } else { None };
    items.into_iter().flatten()
}

fn outcome(data: ItemData) -> ReadResult {
    if data.code == ReturnCode::Success { Ok(data.payload) } else { Err(ItemRefusal(data.code)) }
}

fn take_first(reply: &Reply) -> ReadResult {
    outcome(datas(reply).next().expect("a reply has as many items as its request"))
}

/// A read or write under way: dropped at whichever await, it abandons its requests.
struct Call<'c, S: AsyncRead + AsyncWrite + Unpin>(&'c mut Client<S>);

impl<'c, S: AsyncRead + AsyncWrite + Unpin> Call<'c, S> {
    fn begin(client: &'c mut Client<S>) -> Result<Self, ClientError> {
        match client.under_way() {
            0 => Ok(Self(client)),
            under_way => Err(ClientError::Busy { under_way }),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Deref for Call<'_, S> {
    type Target = Client<S>;

    fn deref(&self) -> &Client<S> {
        self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> DerefMut for Call<'_, S> {
    fn deref_mut(&mut self) -> &mut Client<S> {
        self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Call<'_, S> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
