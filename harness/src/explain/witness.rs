//! What dhat, the second witness, says of the heap: whether it agrees with the probe on one run, and whether what the probe
//! calls a leak grows with the cycles in dhat's profiles too.

use std::collections::BTreeMap;

use watertight_probe::heap::{Live, Testimony};

use super::Finding;
use crate::figures;
use crate::resource::Resource;

/// How a note begins that says that both have counted the same.
pub const ALIKE: &str = "dhat counts the same as the probe";

/// Differences that a note lists.
const DIFFERENCES_MAX: usize = 3;

/// Whether both witnesses have counted the same blocks and bytes on every stack of one run, in words.
pub fn alike(testimony: &Testimony) -> String {
    if testimony.hidden > 0 {
        let hidden = figures::grouped(testimony.hidden);
        return format!("dhat was not shown {hidden} blocks: too many were alive at once");
    }
    if testimony.differences.is_empty() {
        let stacks = figures::grouped(testimony.stacks_alike as u64);
        let all = testimony.dhat.values().fold(Live::default(), |sum, live| Live {
            bytes: sum.bytes + live.bytes,
            blocks: sum.blocks + live.blocks,
        });
        return format!("{ALIKE}, block by block: {} on {stacks} call stacks", amount(&all));
    }
    let differences = testimony.differences.iter().take(DIFFERENCES_MAX).map(|(place, dhat, probe)| {
        format!("at {place} dhat counts {}, the probe {}", amount(dhat), amount(probe))
    });
    let more = testimony.differences.len().saturating_sub(DIFFERENCES_MAX);
    let more = (more > 0).then(|| format!("and {more} more call stacks"));
    let all: Vec<String> = differences.chain(more).collect();
    format!("dhat differs from the probe: {}", all.join("; "))
}

fn amount(live: &Live) -> String {
    format!("{} blocks ({})", figures::grouped(live.blocks), figures::bytes(live.bytes))
}

/// Two runs differ in length, so chance makes their rates differ by that much.
const RATE_TOLERANCE: f64 = 0.25;

/// Sites that grow in dhat's profiles alone are listed up to here.
const MORE_MAX: usize = 3;

/// What dhat's profiles after `cycles` and after twice as many counted cycles say of `findings`, that were left behind in
/// `of_cycles`; one line for each site.
///
/// What grows in proportion to the cycles is the leak: a pool that fills, or a table made at the start, does not.
pub fn second_opinion(
    findings: &[Finding],
    of_cycles: usize,
    cycles: usize,
    after: &Testimony,
    after_twice: &Testimony,
) -> Vec<String> {
    let grown = growth(after, after_twice, cycles);
    let mut by_site = BTreeMap::<&str, Rate>::new();
    for found in findings.iter().filter(|found| found.resource == Resource::Heap) {
        let rate = Rate::of(found.survivors as f64, found.survivor_bytes as f64, of_cycles);
        by_site.entry(&found.site).or_default().add(rate);
    }
    let said = by_site.iter().map(|(site, probe)| {
        let dhat = grown.get(*site).copied().unwrap_or_default();
        match dhat.agrees_with(*probe) {
            true => format!("dhat agrees: {dhat} at {site}"),
            false => format!("dhat disagrees: {dhat} at {site}, where the probe counts {probe}"),
        }
    });
    let more = more(&grown, after, cycles, |site| by_site.contains_key(site));
    let lines: Vec<String> = said
        .chain(more.into_iter().map(|(site, dhat)| format!("dhat sees more: {dhat} at {site}")))
        .collect();
    match lines.is_empty() {
        true => vec![format!("dhat agrees: nothing grows between {cycles} and {} cycles", 2 * cycles)],
        false => lines,
    }
}

/// Growth by cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Rate {
    blocks: f64,
    bytes: f64,
}

impl Rate {
    fn of(blocks: f64, bytes: f64, cycles: usize) -> Self {
        let cycles = cycles.max(1) as f64;
        Self { blocks: blocks / cycles, bytes: bytes / cycles }
    }

    fn add(&mut self, more: Self) {
        self.blocks += more.blocks;
        self.bytes += more.bytes;
    }

    /// Blocks are compared where they grow; what grows in place does so by leaps, and must only grow.
    fn agrees_with(self, probe: Self) -> bool {
        match probe.blocks >= 1.0 / SLOWEST_CYCLES {
            true => (self.blocks - probe.blocks).abs() <= RATE_TOLERANCE * probe.blocks,
            false => self.bytes > 0.0,
        }
    }
}

/// A block in so many cycles is what twenty of them still show.
const SLOWEST_CYCLES: f64 = 10.0;

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:+.2} blocks ({:+.0} B) a cycle", self.blocks, self.bytes)
    }
}

/// What each site holds more after twice the cycles, by cycle.
fn growth<'a>(after: &'a Testimony, after_twice: &'a Testimony, cycles: usize) -> BTreeMap<&'a str, Rate> {
    let rate = |site: &'a String| {
        let [before, now] = [after, after_twice].map(|said| said.dhat.get(site).copied().unwrap_or_default());
        let more = |before: u64, now: u64| now as f64 - before as f64;
        (site.as_str(), Rate::of(more(before.blocks, now.blocks), more(before.bytes, now.bytes), cycles))
    };
    after.dhat.keys().chain(after_twice.dhat.keys()).map(rate).collect()
}

/// Sites that grow in proportion and are in no finding, the fastest first.
fn more<'a>(
    grown: &BTreeMap<&'a str, Rate>,
    after: &Testimony,
    cycles: usize,
    is_known: impl Fn(&str) -> bool,
) -> Vec<(&'a str, Rate)> {
    // What came in the second half must have come in the first half too.
    let in_proportion = |site: &str, rate: &Rate| {
        let held = after.dhat.get(site).map_or(0, |live| live.blocks) as f64;
        let second_half = rate.blocks * cycles as f64;
        rate.blocks >= 1.0 - RATE_TOLERANCE && held >= (1.0 - RATE_TOLERANCE) * second_half
    };
    let mut more: Vec<(&str, Rate)> = grown
        .iter()
        .filter(|(site, rate)| !is_known(site) && in_proportion(site, rate))
        .map(|(site, rate)| (*site, *rate))
        .collect();
    more.sort_by(|a, b| b.1.blocks.total_cmp(&a.1.blocks).then(a.0.cmp(b.0)));
    more.truncate(MORE_MAX);
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn testimony(sites: &[(&str, u64, u64)]) -> Testimony {
        let live = |(site, blocks, bytes): &(&str, u64, u64)| {
            ((*site).to_owned(), Live { bytes: *bytes, blocks: *blocks })
        };
        Testimony {
            dhat: sites.iter().map(live).collect(),
            stacks_alike: sites.len(),
            ..Testimony::default()
        }
    }

    fn heap(site: &str, survivors: i64, bytes: i64) -> Finding {
        Finding {
            resource: Resource::Heap,
            site: site.to_owned(),
            function: None,
            survivors,
            survivor_bytes: bytes,
            stack: vec![],
            task: None,
            victim_of: None,
            tenants: vec![],
            tenants_grown: 0,
            ignored: None,
        }
    }

    #[test]
    fn dhat_agrees_where_its_profiles_grow_as_fast() {
        let (after, twice) = (testimony(&[("cache.rs:7", 12, 384)]), testimony(&[("cache.rs:7", 22, 704)]));
        let said = second_opinion(&[heap("cache.rs:7", 40, 1_280)], 40, 10, &after, &twice);
        assert_eq!(said, ["dhat agrees: +1.00 blocks (+32 B) a cycle at cache.rs:7"]);
    }

    #[test]
    fn both_views_are_told_where_dhat_disagrees() {
        let same = testimony(&[("cache.rs:7", 12, 384)]);
        let said = second_opinion(&[heap("cache.rs:7", 40, 1_280)], 40, 10, &same, &same);
        let expected = "dhat disagrees: +0.00 blocks (+0 B) a cycle at cache.rs:7, where the probe counts \
                        +1.00 blocks (+32 B) a cycle";
        assert_eq!(said, [expected]);
    }

    #[test]
    fn what_grows_in_place_must_grow() {
        let vec = heap("log.rs:1", 0, 4_000);
        let (after, twice) = (testimony(&[("log.rs:1", 1, 512)]), testimony(&[("log.rs:1", 1, 1_024)]));
        let said = second_opinion(std::slice::from_ref(&vec), 40, 10, &after, &twice);
        assert!(said[0].starts_with("dhat agrees: +0.00 blocks (+51 B) a cycle at log.rs:1"), "{said:?}");
        let said = second_opinion(&[vec], 40, 10, &after, &after);
        assert!(said[0].starts_with("dhat disagrees"), "{said:?}");
    }

    #[test]
    fn dhat_names_what_grows_in_proportion_and_no_step() {
        let after = testimony(&[("leak.rs:1", 11, 88), ("step.rs:2", 0, 0), ("pool.rs:3", 50, 400)]);
        let twice = testimony(&[("leak.rs:1", 21, 168), ("step.rs:2", 10, 80), ("pool.rs:3", 50, 400)]);
        let said = second_opinion(&[], 40, 10, &after, &twice);
        assert_eq!(said, ["dhat sees more: +1.00 blocks (+8 B) a cycle at leak.rs:1"]);
        let said = second_opinion(&[], 40, 10, &after, &after);
        assert_eq!(said, ["dhat agrees: nothing grows between 10 and 20 cycles"]);
    }

    #[test]
    fn a_note_says_whether_both_counted_the_same() {
        let mut both = testimony(&[("cache.rs:7", 12, 384)]);
        assert_eq!(
            alike(&both),
            "dhat counts the same as the probe, block by block: 12 blocks (384 B) on 1 call stacks"
        );
        let [one, two] = [1, 2].map(|blocks| Live { bytes: 8 * blocks, blocks });
        both.differences = vec![("cache.rs:7".to_owned(), one, two); 5];
        let expected = "dhat differs from the probe: at cache.rs:7 dhat counts 1 blocks (8 B), the probe 2 blocks (16 B); ";
        assert!(alike(&both).starts_with(expected) && alike(&both).ends_with("and 2 more call stacks"));
        both.hidden = 3;
        assert_eq!(alike(&both), "dhat was not shown 3 blocks: too many were alive at once");
    }
}
