//! Items into requests: at most twenty, and neither request nor answer longer than the PDU.

use std::cmp::Reverse;
use std::ops::Range;

use s7_wire::{Budget, Item};

/// Packs items in their order: a request ends where the next item does not fit. `empty` is the budget of a request.
///
/// Each item has to fit a request of its own.
pub fn pack_in_order<'i>(items: impl IntoIterator<Item = &'i Item>, empty: Budget) -> Vec<Range<usize>> {
    let mut requests: Vec<Range<usize>> = Vec::new();
    let mut budget = empty;
    for (index, item) in items.into_iter().enumerate() {
        match requests.last_mut() {
            Some(request) if budget.take(item) => request.end = index + 1,
            _ => {
                budget = empty;
                let fits = budget.take(item);
                debug_assert!(fits, "an item is never longer than the payload of a PDU");
                requests.push(index..index + 1);
            }
        }
    }
    requests
}

/// Packs items in any order, into fewer requests where that is possible: each item, longest first, goes into the first
/// request that has room for it. Gives the items of each request.
pub fn pack_tightly(items: &[Item], empty: Budget) -> Vec<Vec<usize>> {
    let mut longest_first: Vec<usize> = (0..items.len()).collect();
    longest_first.sort_by_key(|&index| Reverse(items[index].payload_bytes()));
    let mut requests: Vec<(Budget, Vec<usize>)> = Vec::new();
    for index in longest_first {
        let item = &items[index];
        if let Some((_, request)) = requests.iter_mut().find_map(|(budget, request)| {
            let took = budget.take(item);
            took.then_some((budget, request))
        }) {
            request.push(index);
            continue;
        }
        let mut budget = empty;
        let fits = budget.take(item);
        debug_assert!(fits, "an item is never longer than the payload of a PDU");
        requests.push((budget, vec![index]));
    }
    requests.into_iter().map(|(_, request)| request).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nineteen_items_fit_a_pdu_of_240_and_twenty_any_longer_one() {
        let items = [Item::db_bytes(1, 0, 1); 40];
        assert_eq!(pack_in_order(&items, Budget::read(240)), [0..19, 19..38, 38..40]);
        assert_eq!(pack_in_order(&items, Budget::read(960)), [0..20, 20..40]);
        let sizes = |packed: Vec<Vec<usize>>| packed.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(pack_tightly(&items, Budget::read(240))), [19, 19, 2]);
    }

    #[test]
    fn short_items_go_where_long_ones_left_room() {
        let items = [200, 150, 10, 60].map(|bytes| Item::db_bytes(1, 0, bytes));
        assert_eq!(pack_in_order(&items, Budget::read(240)).len(), 3);
        assert_eq!(pack_tightly(&items, Budget::read(240)), [vec![0, 2], vec![1, 3]]);
    }
}
