//! Counts of the allocator: exact, by site, by tenant.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{Barrier, Mutex};

use watertight_probe::heap::{self, Live, Mode};
use watertight_probe::{Tenant, frames, plant};

use crate::case::cases;

cases![
    one_byte_more_is_one_byte_and_one_block_more,
    a_planted_leak_names_its_line,
    blocks_belong_to_the_tenant_current_when_they_were_allocated,
    taking_a_census_changes_nothing,
    totals_agree_with_the_sum_of_sites_and_of_tenants,
    counting_only_counts_the_same_and_says_what_it_leaves_out["WATERTIGHT_HEAP" = "count"],
    an_unknown_mode_counts_only_and_says_so["WATERTIGHT_HEAP" = "everything"],
    off_counts_nothing_and_says_so["WATERTIGHT_HEAP" = "off"],
    tenants_without_stacks_are_still_told_apart["WATERTIGHT_HEAP" = "tenants"],
    a_slice_of_four_bytes_names_the_line_that_allocated_the_block_behind_it,
    a_growing_vec_stays_at_the_site_that_made_it,
    blocks_freed_on_another_thread_leave_nothing,
    threads_beyond_the_own_shards_are_counted_exactly_too,
    zeroed_blocks_are_zero_and_counted,
    a_panic_is_counted_under_its_tenant,
    thousands_of_tenants_with_hundreds_of_stacks_are_exact_each,
    a_tenant_is_exact_when_there_are_more_sites_than_the_table_holds,
];

fn live() -> Live {
    heap::live().expect("this mode counts")
}

fn one_byte_more_is_one_byte_and_one_block_more() {
    assert_eq!((heap::mode(), heap::why_not_sites()), (Mode::Sites, None));
    let before = live();
    plant::heap(1);
    let after = live();
    assert_eq!((after.bytes - before.bytes, after.blocks - before.blocks), (1, 1));
}

fn a_planted_leak_names_its_line() {
    let before = heap::sites();
    for _ in 0..7 {
        plant::heap(100);
    }
    let changes = heap::changes(&before, &heap::sites());
    let (site, blocks, bytes) = changes[0];
    assert_eq!((changes.len(), blocks, bytes), (1, 7, 700));
    let stack = &frames::resolve([site.id])[&site.id];
    let own = frames::first_own(stack).expect("the plant is the user's own code");
    assert_eq!(own.file.as_deref(), Some("harness/probe/src/plant.rs"), "{stack:#?}");
    let text = std::fs::read_to_string("src/plant.rs").expect("tests run in the crate's folder");
    let line = text.lines().nth(own.line.expect("lines are kept") as usize - 1).expect("a line of it");
    assert!(line.contains("vec![0_u8"), "{line}");
}

fn blocks_belong_to_the_tenant_current_when_they_were_allocated() {
    let plc = Tenant::named("plc-3");
    let of_plc = || heap::live_of(|tenant| tenant == plc).expect("tenants are kept");
    assert_eq!(of_plc(), Live::default());
    let block = {
        let _current = plc.enter();
        black_box(vec![1_u8; 64])
    };
    let _other = black_box(vec![1_u8; 64]);
    assert_eq!(of_plc(), Live { bytes: 64, blocks: 1 });
    drop(block);
    assert_eq!(of_plc(), Live::default());
    assert_eq!(plc.name(), "plc-3");
}

fn taking_a_census_changes_nothing() {
    let before = live();
    let sites = heap::sites();
    let ids: Vec<u32> = {
        let _probe = Tenant::PROBE.enter();
        sites.iter().map(|site| site.id).collect()
    };
    let stacks = frames::resolve(ids);
    let by_tenant = heap::live_by_tenant();
    assert_eq!(live(), before);
    drop((sites, stacks, by_tenant));
    assert_eq!(live(), before);
}

fn totals_agree_with_the_sum_of_sites_and_of_tenants() {
    let _kept: BTreeMap<u32, String> = (0..500).map(|n| (n, n.to_string())).collect();
    let whole = live();
    let of_probe = |id: u16| id == Tenant::PROBE.id();
    let sites = heap::sites();
    assert_eq!(sites.iter().map(|site| site.live_blocks).sum::<u64>(), whole.blocks);
    assert_eq!(sites.iter().map(|site| site.live_bytes).sum::<u64>(), whole.bytes);
    assert!(!sites.iter().any(|site| of_probe(site.tenant)));
    let tenants = heap::live_by_tenant();
    assert_eq!(tenants.iter().map(|(_, live)| live.blocks).sum::<u64>(), whole.blocks);
}

fn counting_only_counts_the_same_and_says_what_it_leaves_out() {
    assert_eq!(heap::mode(), Mode::Count);
    assert_eq!(heap::why_not_sites(), Some("WATERTIGHT_HEAP=count asks for none"));
    assert_eq!(heap::live_of(|_| true), None);
    let before = live();
    plant::heap(10);
    let after = live();
    assert_eq!((after.bytes - before.bytes, after.blocks - before.blocks), (10, 1));
}

fn an_unknown_mode_counts_only_and_says_so() {
    assert_eq!(heap::mode(), Mode::Count);
    assert!(
        heap::why_not_sites().is_some_and(|why| why.contains("is none of sites, unwind, tenants, count"))
    );
}

fn off_counts_nothing_and_says_so() {
    assert_eq!((heap::mode(), heap::live(), heap::total()), (Mode::Off, None, None));
}

fn tenants_without_stacks_are_still_told_apart() {
    let plc = Tenant::named("plc-1");
    let _current = plc.enter();
    plant::heap(5);
    plant::heap(6);
    assert_eq!(heap::live_of(|tenant| tenant == plc), Some(Live { bytes: 11, blocks: 2 }));
    let sites = heap::sites();
    assert_eq!(sites.iter().filter(|site| site.tenant == plc.id()).count(), 1);
}

/// 500 small parts of 64 KiB blocks, as a decoder that slices its receive buffer keeps them.
#[inline(never)]
fn keep_slices(kept: &mut BTreeMap<u32, bytes::Bytes>) -> u32 {
    for n in 0..500 {
        let whole = bytes::Bytes::from(vec![7_u8; 64 * 1024]);
        kept.insert(n, whole.slice(0..4));
    }
    line!() - 3
}

fn a_slice_of_four_bytes_names_the_line_that_allocated_the_block_behind_it() {
    let mut kept = BTreeMap::new();
    let before = heap::sites();
    let line = keep_slices(black_box(&mut kept));
    let changes = heap::changes(&before, &heap::sites());
    let by_bytes = changes.iter().max_by_key(|(_, _, bytes)| *bytes);
    let (site, blocks, bytes) = *by_bytes.expect("something is held");
    assert_eq!((blocks, bytes), (500, 500 * 64 * 1024));
    let stack = &frames::resolve([site.id])[&site.id];
    let own = frames::first_own(stack).expect("this file is the user's own code");
    assert_eq!(own.place(), format!("harness/probe/tests/it/heap.rs:{line}"), "{stack:#?}");
    drop(kept);
}

fn a_growing_vec_stays_at_the_site_that_made_it() {
    let before = heap::sites();
    let mut bytes = Vec::<u8>::with_capacity(8);
    let made = heap::changes(&before, &heap::sites())[0].0.id;
    grow(&mut bytes);
    let changes = heap::changes(&before, &heap::sites());
    let (site, blocks, size) = changes[0];
    assert_eq!((changes.len(), site.id, blocks, size), (1, made, 1, bytes.capacity() as i64));
    drop(bytes);
    assert_eq!(heap::changes(&before, &heap::sites()), []);
}

#[inline(never)]
fn grow(bytes: &mut Vec<u8>) {
    (0..100_000).for_each(|n| bytes.push(black_box(n as u8)));
}

fn blocks_freed_on_another_thread_leave_nothing() {
    // Two barriers and a place, none of which ever allocates: a channel does when it first blocks, whenever that is.
    let (filled, emptied) = (Barrier::new(2), Barrier::new(2));
    let place = Mutex::new(Some(Vec::<Vec<u8>>::new()));
    let take = || place.lock().expect("no thread panics with it").take();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                filled.wait();
                let Some(blocks) = take() else { return };
                drop(black_box(blocks));
                emptied.wait();
            }
        });
        let round = || {
            let blocks = black_box((1..200).map(|n| vec![1_u8; n]).collect());
            *place.lock().expect("no thread panics with it") = Some(blocks);
            filled.wait();
            emptied.wait();
        };
        round();
        let before = heap::sites();
        (0..100).for_each(|_| round());
        let changes = heap::changes(&before, &heap::sites());
        filled.wait(); // an empty place ends the other thread, whatever the changes are
        assert_eq!(changes, []);
    });
}

fn threads_beyond_the_own_shards_are_counted_exactly_too() {
    let plc = Tenant::named("many threads");
    let start = std::sync::Arc::new(std::sync::Barrier::new(40));
    let threads: Vec<_> = (0..40)
        .map(|_| {
            let start = std::sync::Arc::clone(&start);
            std::thread::spawn(move || {
                let _current = plc.enter();
                start.wait();
                (0..1000).for_each(|n| drop(black_box(vec![0_u8; n + 1])));
                plant::heap(3);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it does not panic");
    }
    assert_eq!(heap::live_of(|tenant| tenant == plc), Some(Live { bytes: 120, blocks: 40 }));
}

fn zeroed_blocks_are_zero_and_counted() {
    let before = live();
    let block = black_box(vec![0_u8; 100_000]);
    assert!(block.iter().all(|byte| *byte == 0));
    assert_eq!(live().bytes - before.bytes, 100_000);
}

fn a_panic_is_counted_under_its_tenant() {
    watertight_probe::panics::install();
    let plc = Tenant::named("plc-9");
    let guard = plc.enter();
    std::panic::catch_unwind(|| panic!("on purpose")).expect_err("it panics");
    drop(guard);
    assert_eq!(watertight_probe::panics::count(|tenant| tenant == plc), 1);
    assert_eq!(watertight_probe::panics::count(|tenant| tenant != plc), 0);
}

/// Leaks `bytes` from as many call stacks as there are ways of `steps` turns.
#[inline(never)]
fn left(steps: u32, bytes: usize) {
    match steps {
        0 => plant::heap(bytes),
        _ => {
            left(black_box(steps - 1), bytes);
            right(black_box(steps - 1), bytes);
        }
    }
    black_box(());
}

#[inline(never)]
fn right(steps: u32, bytes: usize) {
    match steps {
        0 => plant::heap(bytes),
        _ => {
            right(black_box(steps - 1), bytes);
            left(black_box(steps - 1), bytes);
        }
    }
    black_box(());
}

/// Leaks from 2^`steps` stacks under each of `tenants` children of `service`, `n + 1` bytes a block under the `n`th.
fn leak_under(service: Tenant, tenants: usize, steps: u32) -> Vec<(Tenant, Live)> {
    let _probe = Tenant::PROBE.enter();
    let blocks = 1_u64 << steps;
    let leak = |n: usize| {
        let tenant = service.child(&format!("plc-{n}"));
        let _current = tenant.enter();
        left(steps, n + 1);
        (tenant, Live { bytes: blocks * (n as u64 + 1), blocks })
    };
    (0..tenants).map(leak).collect()
}

fn thousands_of_tenants_with_hundreds_of_stacks_are_exact_each() {
    let service = Tenant::named("service");
    let expected = leak_under(service, 2_500, 7);
    let mut by_tenant = heap::live_by_tenant();
    by_tenant.retain(|(tenant, _)| tenant.is_within(service));
    assert_eq!(by_tenant, expected);
    let sites = heap::sites();
    assert!(!sites.iter().any(|site| heap::is_table_full(site.id)), "320,000 sites fit");
    let (last, live) = expected[2_499];
    let of_last: Vec<_> = sites.iter().filter(|site| site.owner() == last).collect();
    assert_eq!((of_last.len(), of_last.iter().map(|site| site.live_bytes).sum()), (128, live.bytes));
    let stacks = frames::resolve(of_last.iter().map(|site| site.id));
    let names_the_plant = |stack: &Vec<frames::Frame>| {
        frames::first_own(stack).is_some_and(|own| own.file.as_deref() == Some("harness/probe/src/plant.rs"))
    };
    assert!(stacks.values().all(names_the_plant));
}

fn a_tenant_is_exact_when_there_are_more_sites_than_the_table_holds() {
    let service = Tenant::named("service");
    let expected = leak_under(service, 3_000, 9);
    assert!(heap::sites().iter().any(|site| heap::is_table_full(site.id)), "1,536,000 sites do not fit");
    for (tenant, live) in expected {
        assert_eq!(heap::live_of_tenant(tenant), Some(live), "{tenant}");
    }
    assert_eq!(heap::live_of(|tenant| tenant.is_within(service)).map(|live| live.blocks), Some(3_000 * 512));
}
