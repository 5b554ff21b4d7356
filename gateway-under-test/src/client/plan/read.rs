//! The reads that fetch a batch of items.

use std::ops::Range;

use s7_wire::size::read_payload_max;
use s7_wire::{Budget, Item};

use super::{Coalesced, Merge, PlanError, coalesce, divide, pack_tightly, sort_by_place};

/// The reads of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPlan {
    /// What is asked for, in the order of the requests.
    pub items: Vec<Item>,
    /// For each of these the parts of the batch that lie in it.
    pub reads: Vec<Coalesced>,
    /// The items of each request, as ranges of `items`.
    pub requests: Vec<Range<usize>>,
}

impl ReadPlan {
    /// Plans the reads of `items` for this PDU length.
    pub fn new<'i>(
        items: impl IntoIterator<Item = &'i Item>,
        pdu_length: u16,
        merge: Merge,
    ) -> Result<Self, PlanError> {
        let payload_max = read_payload_max(pdu_length);
        let mut parts = divide(items, payload_max)?;
        sort_by_place(&mut parts);
        let reads = coalesce(parts, payload_max, merge);
        Ok(Self::packed(reads, Budget::read(pdu_length)))
    }

    fn packed(reads: Vec<Coalesced>, empty: Budget) -> Self {
        let items: Vec<Item> = reads.iter().map(|read| read.item).collect();
        let packed = pack_tightly(&items, empty);
        let mut unplaced: Vec<Option<Coalesced>> = reads.into_iter().map(Some).collect();
        let (mut reads, mut requests) = (Vec::with_capacity(items.len()), Vec::with_capacity(packed.len()));
        for request in packed {
            let start = reads.len();
            reads.extend(request.into_iter().filter_map(|index| unplaced[index].take()));
            requests.push(start..reads.len());
        }
        Self { items: reads.iter().map(|read| read.item).collect(), reads, requests }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use s7_wire::item::ITEMS_MAX;

    use super::*;

    fn any_item() -> impl Strategy<Value = Item> {
        (1..4_u16, 0..3000_u32, 1..1200_u16).prop_map(|(db, start, count)| Item::db_bytes(db, start, count))
    }

    #[test]
    fn the_fewest_requests_are_made() {
        // 500 bytes of DB1 in three parts of which the last leaves room; DB2 and DB3 go there.
        let items = [Item::db_bytes(1, 0, 500), Item::db_bytes(2, 0, 60), Item::db_bytes(3, 0, 60)];
        let plan = ReadPlan::new(&items, 240, Merge::Neighbours).expect("sound items");
        assert_eq!((plan.items.len(), plan.requests.len()), (5, 3));
    }

    proptest! {
        #[test]
        fn every_byte_is_read_and_every_request_fits(
            items in prop::collection::vec(any_item(), 1..60),
            pdu_length in 240..=960_u16,
            merge in prop::sample::select(vec![Merge::Neighbours, Merge::Nothing]),
        ) {
            let plan = ReadPlan::new(&items, pdu_length, merge).expect("sound items");
            let mut covered: Vec<Vec<bool>> =
                items.iter().map(|item| vec![false; usize::from(item.count)]).collect();
            for read in &plan.reads {
                for (part, offset) in &read.parts {
                    let wish = &items[part.wish];
                    prop_assert_eq!((read.item.area, read.item.db), (wish.area, wish.db));
                    let at = read.item.start_byte() as usize + offset;
                    prop_assert_eq!(at, wish.start_byte() as usize + part.offset);
                    prop_assert!(offset + part.bytes <= usize::from(read.item.count));
                    for byte in &mut covered[part.wish][part.offset..part.offset + part.bytes] {
                        prop_assert!(!std::mem::replace(byte, true), "no byte twice");
                    }
                }
            }
            prop_assert!(covered.iter().flatten().all(|byte| *byte));
            let mut next = 0;
            for request in &plan.requests {
                prop_assert_eq!(request.start, next);
                next = request.end;
                let mut budget = Budget::read(pdu_length);
                prop_assert!(plan.items[request.clone()].iter().all(|item| budget.take(item)));
                prop_assert!((1..=ITEMS_MAX).contains(&request.len()));
            }
            prop_assert_eq!(next, plan.items.len());
        }
    }
}
