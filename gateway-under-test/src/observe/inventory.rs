//! What there is, one line each, the most first: heap by the code that allocated it, tasks by the code that spawned them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
#[cfg(feature = "probe")]
use std::time::Duration;

#[cfg(feature = "probe")]
use watertight_probe::{frames, heap, tasks};

#[cfg(feature = "probe")]
use crate::tenant::Tenant;

/// Lines of one list; what comes after is in the totals only.
const LINES_MAX: usize = 40;
/// Frames shown of a call stack, from the first in own code on.
#[cfg(feature = "probe")]
const FRAMES_MAX: usize = 4;
/// Tasks whose awaits are shown.
#[cfg(feature = "probe")]
const AWAITS_MAX: usize = 64;

/// Live heap of `tenant` and those below it, by the line that allocated it.
#[cfg(feature = "probe")]
pub fn heap(tenant: Tenant) -> String {
    let mut sites = heap::sites();
    sites.retain(|site| site.live_blocks > 0 && tenant.holds(site.owner()));
    sites.sort_by_key(|site| (std::cmp::Reverse(site.live_bytes), site.id));
    let bytes: u64 = sites.iter().map(|site| site.live_bytes).sum();
    let mut text = format!("{bytes} bytes from {} sites\n", sites.len());
    sites.truncate(LINES_MAX);
    let stacks = frames::resolve(sites.iter().map(|site| site.id));
    for site in &sites {
        let (bytes, blocks, owner) = (site.live_bytes, site.live_blocks, site.owner());
        line(&mut text, format_args!("{bytes} bytes, {blocks} blocks, {owner}"));
        let stack = stacks.get(&site.id).map_or(&[][..], Vec::as_slice);
        let own = stack.iter().position(|frame| frame.own).unwrap_or(0);
        for frame in stack.iter().skip(own).take(FRAMES_MAX) {
            line(&mut text, format_args!("    {frame}"));
        }
    }
    text
}

/// Live tasks of `tenant` and those below it, by the line that spawned them; where some wait, if that can be learnt `within`
/// that time.
#[cfg(feature = "probe")]
pub async fn tasks(tenant: Tenant, within: Duration) -> String {
    let mut live = tasks::live();
    live.retain(|task| tenant.holds(task.owner()));
    let mut places = BTreeMap::new();
    for task in &live {
        *places.entry(format!("{}, {}", task.place(), task.owner())).or_insert(0) += 1;
    }
    let mut text = by_count(places);
    match tasks::dump_here(within).await {
        Ok(mut dump) => {
            dump.retain(|task| live.binary_search_by_key(&task.id, |live| live.id).is_ok());
            for task in dump.iter().take(AWAITS_MAX) {
                line(&mut text, format_args!("task {}: {}", task.id, task.trace.join(" < ")));
            }
        }
        Err(error) => line(&mut text, format_args!("where they wait is not known: {error}")),
    }
    text
}

/// How many there are of each, the most first.
pub fn by_count(counts: BTreeMap<String, u64>) -> String {
    let mut text = format!("{} in all\n", counts.values().sum::<u64>());
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (what, count) in counts.iter().take(LINES_MAX) {
        line(&mut text, format_args!("{count} {what}"));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_comes_first_and_the_list_has_an_end() {
        let many = (0..100).map(|kind| (format!("kind {kind:02}"), 1)).chain([("socket".to_owned(), 7)]);
        let text = by_count(many.collect());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), &lines[..3]), (LINES_MAX + 1, &["107 in all", "7 socket", "1 kind 00"][..]));
    }
}
