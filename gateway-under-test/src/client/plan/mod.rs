//! Which requests fetch or write a batch of items: neighbours together, long ones in parts, as few PDUs as fit. Pure.
//!
//! In reading order: this file, `parts`, `coalesce`, `pack`, `read`, `write`.

mod coalesce;
mod pack;
mod parts;
mod read;
mod write;

use s7_wire::item::{BIT_ADDRESS_MAX, ITEM_BYTES};
use s7_wire::size::ITEM_DATA_HEAD_BYTES;
use s7_wire::{Item, TransportSize};
use thiserror::Error;

pub use self::coalesce::{Coalesced, Merge, coalesce, sort_by_place};
pub use self::pack::{pack_in_order, pack_tightly};
pub use self::parts::{Part, divide};
pub use self::read::ReadPlan;
pub use self::write::WritePlan;

/// What one more item costs, in request and answer together; a gap up to this is cheaper read than skipped.
pub const ITEM_COST_BYTES: u32 = (ITEM_BYTES + ITEM_DATA_HEAD_BYTES) as u32;

/// An item that no plan can fetch or write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("item {index}: {problem}")]
pub struct PlanError {
    /// The item in the batch, from 0.
    pub index: usize,
    /// What is wrong with it, and what to do.
    pub problem: &'static str,
}

/// Checks what an item says about itself, so that nothing after this can overflow.
fn check(index: usize, item: &Item) -> Result<(), PlanError> {
    let bad = |problem| Err(PlanError { index, problem });
    let Some(element_bytes) = item.transport.element_bytes() else {
        return bad("its transport size has no name, so its length is unknown; ask for bytes");
    };
    if item.count == 0 {
        return bad("it has no elements; ask for at least one");
    }
    if item.transport == TransportSize::Bit && item.count > 1 {
        return bad("a PLC gives one bit an item; ask for bytes, or for each bit");
    }
    let last_element = u32::from(item.count - 1) * address_step(item.transport, element_bytes);
    match item.address.checked_add(last_element) {
        Some(last) if last <= BIT_ADDRESS_MAX => Ok(()),
        _ => bad("it ends past the highest address, which is byte 2097151.7"),
    }
}

/// How far the next element's address is: in bits, or in elements for timers and counters.
const fn address_step(transport: TransportSize, element_bytes: usize) -> u32 {
    match transport {
        TransportSize::Bit | TransportSize::Timer | TransportSize::Counter => 1,
        _ => element_bytes as u32 * 8,
    }
}
