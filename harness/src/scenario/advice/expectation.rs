//! Expectations that cannot come, and budgets that decide nothing.

use super::view::Measured;
use super::{Look, Remark};
use crate::resource::Resource;
use crate::scenario::model::ExpectedOutcome;
use crate::world::World;

/// The one name of what cannot come, whatever it is.
const CANNOT_COME: &str = "expectation-that-cannot-come";

/// Resources whose growth can decide a leak.
const DECIDING: [Resource; 4] = [Resource::Tasks, Resource::Fds, Resource::Threads, Resource::Heap];

pub(super) fn remarks<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let mut remarks: Vec<Remark> =
        [rss(look), only_rss(look), leak(look), saturating(look)].into_iter().flatten().collect();
    remarks.extend(demands(look));
    remarks.extend(figures(look));
    remarks
}

fn rss<W: World>(look: Look<'_, W>) -> Option<Remark> {
    let rest = look.root.entry("expect")?.value.entry("at_rest")?.value.entry("rss")?;
    let key = ["grow", "saturate"].into_iter().find_map(|key| rest.value.entry(key))?;
    let message = format!("`{}` of RSS is told and never judged: allocators keep pages", key.key.text);
    let help = "bound it by `rss: { max: 64MiB }`, and judge `heap` in its place";
    Some(Remark::new("rss-decides-nothing", key.key.at.clone(), message, help))
}

/// Everything that could decide may grow as it likes.
fn only_rss<W: World>(look: Look<'_, W>) -> Option<Remark> {
    let ignored =
        |resource| look.scenario.ignore.iter().any(|entry| entry.whole_resource() == Some(resource));
    let grows = |resource| look.scenario.expect.at_rest.get(&resource).is_some_and(|rest| rest.grow > 0.0);
    let measured = Measured::of(&look.scenario.target);
    let mut judged = DECIDING.into_iter().filter(|resource| measured.has(*resource));
    if !judged.all(|resource| ignored(resource) || grows(resource)) {
        return None;
    }
    let key = if look.scenario.ignore.is_empty() { "expect" } else { "ignore" };
    let help = "leave at least one of them to be judged";
    Some(Remark::new(
        "only-rss-is-judged",
        look.at(&[key]),
        "tasks, fds, threads and heap may all grow, and RSS never decides",
        help,
    ))
}

fn leak<W: World>(look: Look<'_, W>) -> Option<Remark> {
    let resource = look.scenario.expect.leak.as_ref()?.resource;
    let at = look.at(&["expect", "leak", "resource"]);
    if !Measured::of(&look.scenario.target).has(resource) {
        let message =
            format!("a leak of {resource} is expected, and the target tells nothing of its {resource}");
        let help =
            "add what it serves of itself: `inside: { prometheus: .. }`, `pprof`, `expvar`, or `probe`";
        return Some(Remark::new(CANNOT_COME, at, message, help));
    }
    let ignored = look.scenario.ignore.iter().find(|entry| entry.whole_resource() == Some(resource))?;
    let message =
        format!("a leak of {resource} is expected, and `ignore` puts up with it ({})", ignored.owner);
    Some(Remark::new(CANNOT_COME, at, message, "remove the entry, or the expectation"))
}

/// What may not rise ever slower is over its budget when it does.
fn saturating<W: World>(look: Look<'_, W>) -> Option<Remark> {
    let expect = &look.scenario.expect;
    let forbidden = |resource: &Resource| expect.at_rest.get(resource).is_some_and(|rest| !rest.saturate);
    if expect.outcome != Some(ExpectedOutcome::Saturating) || !DECIDING.iter().all(forbidden) {
        return None;
    }
    let message = "`saturating` is expected, and no resource may saturate";
    Some(Remark::new(
        CANNOT_COME,
        look.at(&["expect", "outcome"]),
        message,
        "leave out `saturate: false` for the one that does",
    ))
}

fn demands<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let nothing = look.scenario.expect.each_cycle.iter().filter(|(_, count)| count.min == 0);
    nothing
        .map(|(name, _)| {
            let message = format!("`{name}` must rise by nothing, which it always does");
            Remark::new(
                CANNOT_COME,
                look.at(&["expect", "each_cycle", name, "min"]),
                message,
                "write `min: 1`",
            )
        })
        .collect()
}

/// Figures that a foreign target's views do not bring: they never have the value that is waited for.
fn figures<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let target = &look.scenario.target;
    // The probe's figures are known to the program alone.
    if !look.is_foreign() || target.probe.is_some() {
        return Vec::new();
    }
    let views = &target.inside;
    let served =
        [views.prometheus.as_ref().map(|view| &view.gauges), views.expvar.as_ref().map(|view| &view.gauges)];
    let served: Vec<&str> =
        served.into_iter().flatten().flat_map(|gauges| gauges.keys()).map(String::as_str).collect();
    let last = look.root.entry("cycle").and_then(|cycle| cycle.value.items().last());
    let until = last.and_then(|phase| phase.entry("until")).map_or(&[][..], |entry| entry.value.entries());
    let each = look.root.entry("expect").and_then(|expect| expect.value.entry("each_cycle"));
    let named = until.iter().chain(each.map_or(&[][..], |entry| entry.value.entries()));
    named
        .filter(|entry| !served.contains(&entry.key.text.as_str()))
        .map(|entry| {
            let message = format!("no view of the target brings a figure `{}`", entry.key.text);
            let help = format!(
                "map it: `inside: {{ prometheus: {{ url: .., gauges: {{ {}: METRIC }} }} }}`",
                entry.key.text
            );
            Remark::new(CANNOT_COME, entry.key.at.clone(), message, help)
        })
        .collect()
}
