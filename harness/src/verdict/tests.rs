//! The judge over whole timelines.

use std::time::Duration;

use super::*;
use crate::census::Census;
use crate::timeline::{Audit, CycleRecord, Ended, Timeline, Trimmed};

/// A run of settled cycles with these censuses.
pub(super) fn timeline(exact: bool, warm_up: usize, censuses: Vec<Census>) -> Timeline {
    let mut peak = Census::default();
    censuses.iter().for_each(|census| peak.peak(census));
    let record = |(cycle, census)| CycleRecord {
        cycle,
        at: Duration::from_secs(40 * cycle as u64),
        settled_after: Some(Duration::from_secs(2)),
        census,
    };
    let planned = censuses.len();
    let cycles = censuses.into_iter().enumerate().map(record).collect();
    Timeline { exact, warm_up, cycles, peak, trimmed: None, audit: vec![], planned, ended: None }
}

pub(super) fn sampled(warm_up: usize, censuses: Vec<Census>) -> Timeline {
    timeline(false, warm_up, censuses)
}

/// An exact run in which only the heap is measured; `figures(cycle)` are its blocks and bytes.
pub(super) fn heap(cycles: usize, figures: impl Fn(u64) -> (u64, u64)) -> Timeline {
    let census = |i| {
        let (blocks, bytes) = figures(i as u64);
        Census { heap_blocks: Some(blocks), heap_bytes: Some(bytes), ..Census::default() }
    };
    timeline(true, 0, (0..cycles).map(census).collect())
}

fn healthy(cycles: usize) -> Timeline {
    let census = Census {
        tasks: Some(12),
        fds: Some(7),
        heap_blocks: Some(900),
        heap_bytes: Some(80_000),
        ..Census::default()
    };
    timeline(true, 0, vec![census; cycles])
}

fn of(judgement: &Judgement, resource: Resource) -> &ResourceVerdict {
    judgement.resources.iter().find(|verdict| verdict.resource == resource).expect("every resource has a row")
}

pub(super) fn plain(timeline: &Timeline) -> Judgement {
    judge(timeline, &Rules::default())
}

#[test]
fn a_healthy_run_is_clean_and_states_its_sensitivity() {
    let judgement = plain(&healthy(100));
    assert_eq!(judgement.outcome, Outcome::Clean);
    let tasks = of(&judgement, Resource::Tasks);
    // Two changes are needed for one to repeat: 2 to 3 units in the run.
    let least = tasks.sensitivity_per_cycle.expect("a clean row states it");
    assert!((0.02..=0.03).contains(&least), "{least}");
    assert_eq!(of(&judgement, Resource::Rss).why, "not measured");
    assert_eq!(judgement.notes, Vec::<String>::new());
}

#[test]
fn one_byte_leaked_in_each_cycle_is_a_leak() {
    let judgement = plain(&heap(50, |i| (900 + i, 80_000 + i)));
    assert_eq!(judgement.outcome, Outcome::Leak);
    assert_eq!(judgement.headline, "heap leak: +1.00 blocks/cycle (+1.00 B), since cycle 1 of 50");
}

#[test]
fn one_byte_leaked_in_every_seventh_cycle_is_a_leak() {
    assert_eq!(plain(&heap(50, |i| (900 + i / 7, 80_000 + i / 7))).outcome, Outcome::Leak);
}

#[test]
fn one_byte_leaked_once_is_a_step_that_is_reported() {
    let judgement = plain(&heap(7_406, |i| if i < 5_000 { (900, 80_000) } else { (901, 80_001) }));
    assert_eq!(judgement.outcome, Outcome::Clean);
    assert_eq!(of(&judgement, Resource::Heap).since_cycle, Some(5_000));
    assert_eq!(
        judgement.notes,
        ["heap: blocks: one step of +1 at cycle 5000, level before and after (+1 B)"]
    );
}

#[test]
fn a_rehash_is_a_step_in_bytes_and_no_leak() {
    let judgement = plain(&heap(100, |i| (900, if i < 40 { 80_000 } else { 96_400 })));
    assert_eq!(judgement.outcome, Outcome::Clean);
    assert_eq!(judgement.notes, ["heap: bytes: one step of +16,400 at cycle 40, level before and after"]);
}

#[test]
fn a_vec_that_doubles_is_a_leak_though_no_block_is_added() {
    for cycles in [40, 60, 100, 120, 130, 200, 1_000] {
        for warm_up in [1, 5, 12] {
            let judgement = plain(&heap(cycles, |i| (900, 80_000 + 16 * (i + warm_up).next_power_of_two())));
            assert_eq!(
                judgement.outcome,
                Outcome::Leak,
                "{cycles} cycles after {warm_up}: {}",
                judgement.headline
            );
        }
    }
}

#[test]
fn a_sawtooth_that_returns_to_its_floor_is_clean() {
    for period in [2, 7, 13, 40] {
        let judgement = plain(&heap(100, |i| (900 + i % period, 80_000 + 16 * (i % period))));
        assert_eq!(judgement.outcome, Outcome::Clean, "period {period}: {}", judgement.headline);
    }
}

#[test]
fn a_leak_under_a_sawtooth_is_found() {
    let judgement = plain(&heap(200, |i| (900 + i % 7 + i, 80_000 + 16 * (i % 7 + i))));
    assert_eq!(judgement.outcome, Outcome::Leak, "{}", judgement.headline);
}

#[test]
fn a_cache_that_filled_is_clean_and_one_that_fills_is_saturating() {
    assert_eq!(plain(&heap(200, |i| (900 + i.min(40), 80_000))).outcome, Outcome::Clean);
    let filling = heap(200, |i| (900 + (400.0 * (1.0 - (-(i as f64) / 40.0).exp())) as u64, 80_000));
    assert_eq!(plain(&filling).outcome, Outcome::Saturating);
    let mut rules = Rules::default();
    rules.resources.insert(Resource::Heap, ResourceRules { saturate: false, ..ResourceRules::default() });
    assert_eq!(judge(&filling, &rules).outcome, Outcome::OverBudget);
}

#[test]
fn allowed_growth_is_no_leak_and_growth_beyond_it_is() {
    let mut rules = Rules::default();
    rules.resources.insert(Resource::Heap, ResourceRules { grow: 1.0, ..ResourceRules::default() });
    assert_eq!(judge(&heap(100, |i| (900 + i, 80_000 + 16 * i)), &rules).outcome, Outcome::Clean);
    assert_eq!(judge(&heap(100, |i| (900 + 2 * i, 80_000 + 32 * i)), &rules).outcome, Outcome::Leak);
}

#[test]
fn rss_that_rises_over_a_flat_heap_is_retained() {
    let judgement = plain(&resident_over_flat_heap(16_384));
    assert_eq!(judgement.outcome, Outcome::Retained);
    assert!(judgement.headline.contains("live heap is flat"), "{}", judgement.headline);
}

#[test]
fn rss_that_rises_less_than_an_allocator_takes_at_once_is_clean_over_a_flat_heap() {
    let judgement = plain(&resident_over_flat_heap(4_096));
    assert_eq!(judgement.outcome, Outcome::Clean, "{}", judgement.headline);
}

#[test]
fn a_piece_touched_page_by_page_makes_no_rise_of_a_single_step_of_rss() {
    // As measured, in KiB: what the census at half-way took is the one step; the cycle before touched 16 pages.
    let kib =
        |i: u64| [98_316, 98_380, 98_380, 98_380, 98_380, 98_380].get(i as usize).copied().unwrap_or(101_852);
    let census = |i: u64| Census {
        heap_blocks: Some(900),
        heap_bytes: Some(80_000),
        rss_bytes: Some(kib(i) << 10),
        ..Census::default()
    };
    let mut timeline = sampled(0, (0..12).map(census).collect());
    timeline.exact = true;
    let judgement = plain(&timeline);
    assert_eq!(judgement.outcome, Outcome::Clean, "{}", judgement.headline);
}

/// 100 cycles whose resident pages grow by `step` bytes each while live heap stays as it is.
fn resident_over_flat_heap(step: u64) -> Timeline {
    let census = |i: u64| Census {
        heap_blocks: Some(900),
        heap_bytes: Some(80_000),
        rss_bytes: Some(4_000_000 + step * i),
        ..Census::default()
    };
    sampled(0, (0..100).map(census).collect())
}

#[test]
fn floors_of_many_cycles_are_judged_as_the_cycles_are_and_told_in_cycles() {
    const EACH: usize = 8;
    let run = |each: usize, leak: bool| {
        let tasks = |entry: u64| 12 + if leak { entry * each as u64 } else { entry % 2 };
        let census = |entry| Census { tasks: Some(tasks(entry)), ..Census::default() };
        let entries = (0..(800 / each) as u64).map(census).collect();
        judge_floors(&timeline(false, 0, entries), &Rules::default(), each)
    };
    let (leak, thinned) = (run(1, true), run(EACH, true));
    assert_eq!(leak.headline, "tasks leak: +1.00 tasks/cycle, since cycle 1 of 800");
    assert_eq!(thinned.headline, "tasks leak: +1.00 tasks/cycle, since cycle 8 of 800");
    let seen =
        |judgement: &Judgement| of(judgement, Resource::Tasks).sensitivity_per_cycle.expect("it is clean");
    let (clean, thinned) = (run(1, false), run(EACH, false));
    assert!(clean.headline.starts_with("nothing grows over 800 cycles"), "{}", clean.headline);
    assert!(thinned.headline.starts_with("nothing grows over 800 cycles"), "{}", thinned.headline);
    let times = seen(&thinned) / seen(&clean);
    assert!((0.5..2.0).contains(&times), "{times}");
}

#[test]
fn pages_that_were_kept_before_rss_went_level_are_retained_if_they_are_many() {
    let rows = |mebibytes: u64, heap_bytes: u64| {
        let census = move |i: u64| Census {
            heap_blocks: Some(900),
            heap_bytes: Some(heap_bytes),
            rss_bytes: Some((24 << 20) + (mebibytes << 20) * i.min(20) / 20),
            ..Census::default()
        };
        let judgement = plain(&timeline(false, 0, (0..100).map(census).collect()));
        judgement.resources.into_iter().find(|row| row.resource == Resource::Rss).expect("a row")
    };
    let kept = rows(98, 2 << 20);
    assert_eq!(kept.outcome, Outcome::Retained, "{}", kept.why);
    assert!(kept.why.starts_with("+98.0 MiB of pages, then level, while live heap is flat"), "{}", kept.why);
    assert_eq!(rows(4, 2 << 20).outcome, Outcome::Clean, "what any service does as it warms up");
    assert_eq!(rows(98, 40 << 20).outcome, Outcome::Clean, "in proportion to what is alive");
}

#[test]
fn rss_that_rises_with_no_heap_measured_is_a_suspect_at_most() {
    let census = |i: u64| Census { rss_bytes: Some(4_000_000 + 4_096 * i), ..Census::default() };
    assert_eq!(plain(&sampled(0, (0..100).map(census).collect())).outcome, Outcome::Suspect);
}

/// The same run, after which so much came back when the allocator was asked.
fn trimmed(timeline: Timeline, given_back_bytes: u64) -> Timeline {
    let rss_before_bytes = timeline.cycles.last().and_then(|last| last.census.rss_bytes).unwrap_or_default();
    let rss_after_bytes = rss_before_bytes - given_back_bytes;
    Timeline { trimmed: Some(Trimmed { rss_before_bytes, rss_after_bytes }), ..timeline }
}

#[test]
fn what_comes_back_when_asked_to_trim_is_said_of_retained_pages() {
    let judgement = plain(&trimmed(resident_over_flat_heap(131_072), 11 << 20));
    assert_eq!(judgement.outcome, Outcome::Retained);
    assert_eq!(
        of(&judgement, Resource::Rss).why,
        "+12.4 MiB of pages while live heap is flat; 11.0 MiB came back when asked to trim: kept by the allocator"
    );
    let little = plain(&trimmed(resident_over_flat_heap(131_072), 4_096));
    assert!(!of(&little, Resource::Rss).why.contains("came back"), "{}", little.headline);
}

#[test]
fn rss_that_rises_with_no_heap_measured_is_retained_if_most_of_it_comes_back_when_asked_to_trim() {
    let census = |i: u64| Census { rss_bytes: Some(4_000_000 + 131_072 * i), ..Census::default() };
    let rising = || sampled(0, (0..100).map(census).collect());
    assert_eq!(plain(&rising()).outcome, Outcome::Suspect);
    assert_eq!(plain(&trimmed(rising(), 2 << 20)).outcome, Outcome::Suspect);
    let judgement = plain(&trimmed(rising(), 11 << 20));
    assert_eq!(judgement.outcome, Outcome::Retained);
    assert_eq!(
        of(&judgement, Resource::Rss).why,
        "+12.4 MiB, steady; 11.0 MiB came back when asked to trim: kept by the allocator"
    );
}

#[test]
fn a_leak_of_blocks_is_a_leak_however_much_comes_back_when_asked_to_trim() {
    let census = |i: u64| Census {
        heap_blocks: Some(900 + i),
        heap_bytes: Some(80_000 + 131_072 * i),
        rss_bytes: Some(4_000_000 + 131_072 * i),
        ..Census::default()
    };
    let judgement = plain(&trimmed(sampled(0, (0..100).map(census).collect()), 11 << 20));
    assert_eq!(judgement.outcome, Outcome::Leak);
    assert_eq!(of(&judgement, Resource::Rss).outcome, Outcome::Clean);
}

#[test]
fn a_cycle_that_never_came_to_rest_makes_the_run_inconclusive_however_it_grows() {
    let mut run = heap(50, |i| (900 + i, 80_000 + i));
    run.cycles[17].settled_after = None;
    let judgement = plain(&run);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    assert_eq!(judgement.headline, "not at rest in 1 of 50 cycles, first in cycle 17");
}

#[test]
fn too_few_cycles_are_inconclusive() {
    assert_eq!(plain(&healthy(4)).headline, "4 counted cycles, at least 5 are needed");
    let few = Timeline { exact: false, ..healthy(9) };
    assert_eq!(plain(&few).headline, "9 counted cycles, at least 10 are needed");
}

#[test]
fn a_run_cut_short_is_inconclusive_unless_it_already_leaks() {
    let mut run = healthy(50);
    run.planned = 200;
    run.ended = Some(Ended::Interrupted);
    assert_eq!(plain(&run).headline, "after 50 of 200 cycles: interrupted");
    let mut leaking = heap(50, |i| (900 + i, 80_000 + i));
    leaking.ended = Some(Ended::TargetDied { how: "signal 9".to_owned() });
    let judgement = plain(&leaking);
    assert_eq!(judgement.outcome, Outcome::Leak);
    assert_eq!(judgement.notes, ["after 50 of 50 cycles: the target ended by itself: signal 9"]);
}

#[test]
fn a_target_that_reached_its_bound_of_memory_has_broken_a_budget_and_leaks_if_it_grew() {
    let killed =
        || Ended::OutOfMemory { limit_bytes: 64 << 20, evidence: "the engine says OOMKilled".to_owned() };
    let mut early = healthy(3);
    (early.planned, early.ended) = (50, Some(killed()));
    let judgement = plain(&early);
    assert_eq!(judgement.outcome, Outcome::OverBudget);
    let headline = "after 3 of 50 cycles: the target was killed by the kernel at its limit of 64.0 MiB: the engine says OOMKilled";
    assert_eq!(judgement.headline, headline);
    let mut leaking = heap(50, |i| (900 + i, 80_000 + i));
    (leaking.planned, leaking.ended) = (200, Some(killed()));
    let judgement = plain(&leaking);
    assert_eq!(judgement.outcome, Outcome::Leak);
    assert!(judgement.notes[0].starts_with("after 50 of 200 cycles: the target was killed by the kernel"));
}

#[test]
fn a_failed_control_makes_the_run_invalid() {
    let mut run = healthy(50);
    let audit =
        |what: &str, found, at_least, at_most| Audit { what: what.to_owned(), found, at_least, at_most };
    run.audit = vec![audit("polls answered by plc", 3, 1_000, None), audit("wrong values", 0, 0, Some(0))];
    let judgement = plain(&run);
    assert_eq!(judgement.outcome, Outcome::Invalid);
    assert_eq!(judgement.headline, "polls answered by plc: 3, at least 1,000 needed");
    run.audit[0].found = 1_000;
    assert_eq!(plain(&run).outcome, Outcome::Clean);
}

#[test]
fn a_peak_or_a_resting_figure_above_its_budget_is_over_budget() {
    let mut rules = Rules::default();
    rules.resources.insert(Resource::Tasks, ResourceRules { peak_max: Some(20), ..ResourceRules::default() });
    let mut run = healthy(50);
    assert_eq!(judge(&run, &rules).outcome, Outcome::Clean);
    run.peak.tasks = Some(21);
    assert_eq!(judge(&run, &rules).headline, "tasks: peak 21 is above the budget of 20");
    rules
        .resources
        .insert(Resource::Tasks, ResourceRules { at_rest_max: Some(11), ..ResourceRules::default() });
    assert_eq!(judge(&run, &rules).headline, "tasks: 12 at rest in cycle 0 is above the budget of 11");
    assert_eq!(judge(&run, &rules).outcome, Outcome::OverBudget);
}

#[test]
fn a_slow_recovery_and_a_panic_are_over_budget() {
    let rules = Rules { recovery: Some(Duration::from_secs(10)), ..Rules::default() };
    let mut run = healthy(50);
    assert_eq!(judge(&run, &rules).outcome, Outcome::Clean);
    run.cycles[30].settled_after = Some(Duration::from_millis(12_340));
    assert_eq!(judge(&run, &rules).headline, "recovery took 12.3 s in cycle 30, at most 10 s allowed");
    run.peak.gauges.insert(PANICS_GAUGE.to_owned(), 2.0);
    assert_eq!(plain(&run).headline, "2 panics, at most 0 allowed");
}

#[test]
fn culprits_head_the_line_when_several_resources_leak() {
    let census = |i: u64| Census {
        tasks: Some(12 + i),
        heap_blocks: Some(900 + 3 * i),
        heap_bytes: Some(80_000 + 700 * i),
        ..Census::default()
    };
    let judgement = plain(&timeline(true, 0, (0..50).map(census).collect()));
    assert_eq!(judgement.headline, "tasks leak: +1.00 tasks/cycle, since cycle 1 of 50");
}

#[test]
fn a_run_that_measured_nothing_is_inconclusive() {
    let judgement = plain(&timeline(true, 0, vec![Census::default(); 50]));
    assert_eq!(
        (judgement.outcome, judgement.headline.as_str()),
        (Outcome::Inconclusive, "nothing was measured")
    );
}
