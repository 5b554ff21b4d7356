//! Which reads fetch a station's tags: neighbours in one item, items packed into as few requests as fit. Pure.

use std::ops::Range;

use s7_wire::size::read_payload_max;
use s7_wire::{Budget, Item};

use crate::client::plan::{Coalesced, Merge, Part, coalesce, pack_in_order};
use crate::config::TagConfig;

/// Where a tag lies in the answer to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The tag, as an index into the station's tags.
    pub tag: usize,
    /// Its first byte in the item's payload.
    pub offset: usize,
}

/// The reads of one poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is read, in the order of the requests.
    pub items: Vec<Item>,
    /// The tags in each item.
    pub tags: Vec<Vec<Placed>>,
    /// The items of each request, as ranges of `items`.
    pub requests: Vec<Range<usize>>,
}

impl Plan {
    /// Plans the reads of `tags` for a session of this PDU length: in the order of memory, so that a poll looks like the
    /// one before.
    pub fn new(tags: &[TagConfig], pdu_length: u16, merge: Merge) -> Self {
        let parts = in_memory_order(tags).into_iter().map(|index| part(index, &tags[index]));
        let reads = coalesce(parts, read_payload_max(pdu_length), merge);
        let items: Vec<Item> = reads.iter().map(|read| read.item).collect();
        let requests = pack_in_order(&items, Budget::read(pdu_length));
        Self { tags: reads.iter().map(placed).collect(), items, requests }
    }
}

fn in_memory_order(tags: &[TagConfig]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tags.len()).collect();
    order.sort_by_key(|&index| (tags[index].area, tags[index].db, tags[index].offset, index));
    order
}

/// A tag as a part of its own: none is longer than a PDU.
fn part(index: usize, tag: &TagConfig) -> Part {
    let bytes = tag.kind.bytes();
    let item = Item::bytes(tag.area.wire(), tag.db as u16, tag.offset, bytes as u16);
    Part { item, wish: index, offset: 0, bytes: bytes as usize }
}

fn placed(read: &Coalesced) -> Vec<Placed> {
    read.parts.iter().map(|&(part, offset)| Placed { tag: part.wish, offset }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use s7_wire::item::ITEMS_MAX;

    use super::*;
    use crate::config::{Area, TagType};

    fn tag(db: u32, offset: u32, kind: TagType) -> TagConfig {
        TagConfig::in_db(format!("{db}.{offset}"), db, offset, kind)
    }

    #[test]
    fn neighbours_share_an_item_and_distant_tags_do_not() {
        let tags = [tag(1, 4, TagType::Dint), tag(1, 0, TagType::Word), tag(1, 200, TagType::Byte)];
        let plan = Plan::new(&tags, 480, Merge::Neighbours);
        assert_eq!(plan.items, [Item::db_bytes(1, 0, 8), Item::db_bytes(1, 200, 1)]);
        assert_eq!(plan.tags[0], [Placed { tag: 1, offset: 0 }, Placed { tag: 0, offset: 4 }]);
        assert_eq!(plan.requests, std::slice::from_ref(&(0..2)));
    }

    #[test]
    fn a_gap_is_read_as_long_as_it_is_cheaper_than_an_item() {
        let spaced = |gap: u32| [tag(1, 0, TagType::Byte), tag(1, 1 + gap, TagType::Byte)];
        assert_eq!(Plan::new(&spaced(16), 480, Merge::Neighbours).items.len(), 1);
        assert_eq!(Plan::new(&spaced(17), 480, Merge::Neighbours).items.len(), 2);
    }

    #[test]
    fn other_areas_and_blocks_are_never_merged() {
        let mut merker = tag(0, 0, TagType::Byte);
        merker.area = Area::M;
        let tags = [tag(1, 0, TagType::Byte), tag(2, 1, TagType::Byte), merker];
        assert_eq!(Plan::new(&tags, 480, Merge::Neighbours).items.len(), 3);
    }

    #[test]
    fn without_merging_each_tag_is_an_item() {
        let tags = [tag(1, 0, TagType::Word), tag(1, 2, TagType::Word)];
        assert_eq!(Plan::new(&tags, 480, Merge::Nothing).items.len(), 2);
    }

    fn any_tag() -> impl Strategy<Value = TagConfig> {
        let kinds = prop::sample::select(vec![TagType::Bool, TagType::Word, TagType::Real]);
        (1..4_u32, 0..2000_u32, kinds).prop_map(|(db, offset, kind)| tag(db, offset, kind))
    }

    proptest! {
        #[test]
        fn every_tag_is_read_once_and_every_request_fits(
            tags in prop::collection::vec(any_tag(), 1..200),
            pdu_length in 240..=960_u16,
            merge in prop::sample::select(vec![Merge::Neighbours, Merge::Nothing]),
        ) {
            let plan = Plan::new(&tags, pdu_length, merge);
            let mut read: Vec<usize> = plan.tags.iter().flatten().map(|placed| placed.tag).collect();
            read.sort_unstable();
            prop_assert_eq!(read, (0..tags.len()).collect::<Vec<_>>());
            for (item, placed) in plan.items.iter().zip(&plan.tags) {
                for place in placed {
                    let tag = &tags[place.tag];
                    prop_assert_eq!(item.start_byte() as usize + place.offset, tag.offset as usize);
                    prop_assert!(place.offset + tag.kind.bytes() as usize <= usize::from(item.count));
                }
            }
            let mut next = 0;
            for request in &plan.requests {
                prop_assert_eq!(request.start, next);
                next = request.end;
                let mut budget = Budget::read(pdu_length);
                prop_assert!(plan.items[request.clone()].iter().all(|item| budget.take(item)));
                prop_assert!(request.len() <= ITEMS_MAX);
            }
            prop_assert_eq!(next, plan.items.len());
        }
    }
}
