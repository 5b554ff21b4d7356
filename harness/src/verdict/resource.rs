//! The verdict on one resource: its series, its budgets, its sensitivity.

use super::rule::{Shape, Trend, trend};
use super::rules::ResourceRules;
use super::{IGNORED, Outcome, ResourceVerdict, sensitivity, slope, windows};
use crate::census::Census;
use crate::figures;
use crate::resource::Resource;
use crate::timeline::{CycleRecord, Timeline};

/// What the case as a whole says about every resource in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub timeline: &'a Timeline,
    /// The cycles after warm-up.
    pub counted: &'a [CycleRecord],
    /// Why growth cannot be judged at all, if it cannot.
    pub no_growth: Option<&'a str>,
    /// Whether the growth of the heap is put up with.
    pub heap_is_ignored: bool,
}

/// Judges `resource`; RSS needs to know what the heap did, so it is judged after it.
pub(super) fn judge(
    context: Context<'_>,
    resource: Resource,
    rules: ResourceRules,
    heap: Option<&ResourceVerdict>,
) -> ResourceVerdict {
    let units = series(context.counted, |census| census.count(resource));
    let bytes = series(context.counted, |census| census.bytes(resource));
    let mut verdict = figures_of(context, resource, &units, &bytes);
    if !verdict.measured() {
        let (outcome, why) = absent(context.counted, resource);
        return ResourceVerdict { outcome, why, ..verdict };
    }
    match context.no_growth {
        Some(why) => (verdict.outcome, verdict.why) = (Outcome::Inconclusive, why.to_owned()),
        None if resource == Resource::Rss => judge_rss(context, &mut verdict, &bytes, heap),
        None => judge_growth(context, &mut verdict, rules, &units, &bytes),
    }
    judge_budgets(context, &mut verdict, rules);
    verdict
}

/// The figure of every counted cycle; empty unless every cycle has one.
fn series(counted: &[CycleRecord], figure: impl Fn(&Census) -> Option<u64>) -> Vec<i64> {
    counted
        .iter()
        .map(|record| figure(&record.census).map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
        .collect::<Option<_>>()
        .unwrap_or_default()
}

/// A resource without a whole series: not measured at all, or with gaps that nothing can be said over.
fn absent(counted: &[CycleRecord], resource: Resource) -> (Outcome, String) {
    let has =
        |record: &&CycleRecord| record.census.count(resource).or(record.census.bytes(resource)).is_some();
    match counted.iter().filter(has).count() {
        0 => (Outcome::Inconclusive, "not measured".to_owned()),
        some => (Outcome::Inconclusive, format!("measured in only {some} of {} cycles", counted.len())),
    }
}

fn figures_of(context: Context<'_>, resource: Resource, units: &[i64], bytes: &[i64]) -> ResourceVerdict {
    let last = |series: &[i64]| series.last().map(|figure| figure.unsigned_abs());
    let per_cycle = |series: &[i64]| slope::theil_sen(windows::back_half(series));
    let peak = &context.timeline.peak;
    let highest = |figure: fn(&Census, Resource) -> Option<u64>| {
        context
            .counted
            .iter()
            .filter_map(|record| figure(&record.census, resource))
            .max()
            .max(figure(peak, resource))
    };
    ResourceVerdict {
        resource,
        outcome: Outcome::Clean,
        at_rest: last(units),
        at_rest_bytes: last(bytes),
        peak: highest(|census, resource| census.bytes(resource)).or_else(|| highest(Census::count)),
        growth_per_cycle: per_cycle(units),
        growth_bytes_per_cycle: (!bytes.is_empty()).then(|| per_cycle(bytes)),
        sensitivity_per_cycle: None,
        sensitivity_bytes_per_cycle: None,
        since_cycle: None,
        detected_after: None,
        why: String::new(),
    }
}

/// What the growth of `resource` comes to, and why, without what a clean run would have seen.
pub(super) fn growth(context: Context<'_>, resource: Resource, rules: ResourceRules) -> (Outcome, String) {
    let units = less_allowance(&series(context.counted, |census| census.count(resource)), rules.grow);
    let bytes = series(context.counted, |census| census.bytes(resource));
    let (trend, why) = decisive(&units, &bytes, rules, context.timeline.exact);
    if rules.ignored { (Outcome::Clean, why) } else { (outcome(trend.shape), why) }
}

fn judge_growth(
    context: Context<'_>,
    verdict: &mut ResourceVerdict,
    rules: ResourceRules,
    units: &[i64],
    bytes: &[i64],
) {
    let exact = context.timeline.exact;
    let units = less_allowance(units, rules.grow);
    let (shown, why) = decisive(&units, bytes, rules, exact);
    verdict.outcome = outcome(shown.shape);
    verdict.since_cycle = shown.since;
    verdict.why = why;
    if verdict.outcome == Outcome::Saturating && !rules.saturate {
        verdict.outcome = Outcome::OverBudget;
        verdict.why += "; the scenario forbids saturation here";
    }
    if rules.ignored && verdict.outcome > Outcome::Clean {
        (verdict.outcome, verdict.why) = (Outcome::Clean, format!("{IGNORED}{}", verdict.why));
    } else if verdict.outcome == Outcome::Clean {
        verdict.sensitivity_per_cycle =
            sensitivity::smallest_leak_seen(&units, exact).map(|least| least + rules.grow);
        verdict.sensitivity_bytes_per_cycle = sensitivity::smallest_leak_seen(bytes, exact);
    }
}

/// Counts decide. Bytes without counts decide only where they keep rising: a `Vec` that doubles holds one block.
fn decisive(units: &[i64], bytes: &[i64], rules: ResourceRules, exact: bool) -> (Trend, String) {
    let by_units = trend(units, exact);
    // An allowance is in units; what it costs in bytes is not known, so bytes are left to the ceilings then.
    let by_bytes =
        if rules.grow > 0.0 { None } else { Some(trend(bytes, exact)).filter(|_| !bytes.is_empty()) };
    let (shown, label, aside) = match by_bytes {
        Some(by_bytes) if decides(&by_bytes) > decides(&by_units) || units.is_empty() => {
            (by_bytes, "bytes: ", String::new())
        }
        Some(by_bytes) if by_units.shape != Shape::Flat => {
            let sign = if by_bytes.rise < 0 { '-' } else { '+' };
            (by_units, "blocks: ", format!(" ({sign}{})", figures::bytes(by_bytes.rise.unsigned_abs())))
        }
        Some(_) => (by_units, "blocks: ", String::new()),
        None => (by_units, "", String::new()),
    };
    let why = format!("{label}{}{aside}", shown.why);
    (shown, why)
}

/// How much a trend has to say: of blocks and bytes, the one that says more is shown, blocks first.
fn decides(trend: &Trend) -> (Outcome, bool) {
    (outcome(trend.shape), trend.shape != Shape::Flat)
}

fn outcome(shape: Shape) -> Outcome {
    match shape {
        Shape::Flat | Shape::Step | Shape::Levelled => Outcome::Clean,
        Shape::Unclear => Outcome::Suspect,
        Shape::Decelerating => Outcome::Saturating,
        Shape::Growing => Outcome::Leak,
    }
}

/// The series with the allowed growth taken out.
fn less_allowance(series: &[i64], grow: f64) -> Vec<i64> {
    series
        .iter()
        .enumerate()
        .map(|(i, value)| value.saturating_sub((grow * i as f64).floor() as i64))
        .collect()
}

/// A rise of resident pages below this says nothing where live heap is known: allocators take memory from the system in
/// pieces of 128 KiB and more.
const RSS_NOISE_BYTES: u64 = 1 << 20;

/// The piece that an allocator touches page by page: a change below it is no rise of its own.
const RSS_PIECE_BYTES: u64 = 128 << 10;

/// The series without what a touched piece adds: a level stands until a figure is a piece away from it.
fn levels(bytes: &[i64]) -> Vec<i64> {
    let mut level = bytes.first().copied().unwrap_or_default();
    let mut at = |figure: i64| {
        if figure.abs_diff(level) >= RSS_PIECE_BYTES {
            level = figure;
        }
        level
    };
    bytes.iter().map(|figure| at(*figure)).collect()
}

/// RSS never decides: allocators keep pages. With the heap known, a rise is theirs; without, it is a suspicion at most, and not
/// even that where most of it comes back once the allocator is asked: nothing was alive in those pages.
fn judge_rss(
    context: Context<'_>,
    verdict: &mut ResourceVerdict,
    bytes: &[i64],
    heap: Option<&ResourceVerdict>,
) {
    let levels = if heap.is_some() { levels(bytes) } else { bytes.to_vec() };
    let trend = trend(&levels, context.timeline.exact);
    if heap.is_some() && trend.rise.unsigned_abs() < RSS_NOISE_BYTES {
        verdict.outcome = Outcome::Clean;
        verdict.why =
            format!("within {} of pages in all {} cycles", figures::bytes(RSS_NOISE_BYTES), bytes.len());
        return;
    }
    verdict.since_cycle = trend.since;
    let rises = !matches!(trend.shape, Shape::Flat | Shape::Step | Shape::Levelled);
    let grown = figures::bytes(trend.rise.unsigned_abs());
    let back = context.timeline.trimmed.map_or(0, |trimmed| trimmed.given_back_bytes());
    let came_back = came_back(back);
    (verdict.outcome, verdict.why) = match heap {
        Some(heap) if !rises && !context.heap_is_ignored && is_kept(trend.rise, heap) => (
            Outcome::Retained,
            format!(
                "+{grown} of pages, then level, while live heap is flat{came_back}: kept by the allocator"
            ),
        ),
        _ if trend.shape == Shape::Flat => (Outcome::Clean, trend.why),
        _ if !rises => (Outcome::Clean, format!("+{grown}, then level")),
        Some(_) if context.heap_is_ignored => (Outcome::Clean, format!("{IGNORED}+{grown}, as the heap is")),
        Some(heap) if heap.outcome == Outcome::Clean => (
            Outcome::Retained,
            format!("+{grown} of pages while live heap is flat{came_back}: kept by the allocator"),
        ),
        Some(heap) => {
            (Outcome::Clean, format!("+{grown}, follows the heap ({})", figures::outcome(heap.outcome)))
        }
        None if trend.shape == Shape::Growing && back * 2 >= trend.rise.unsigned_abs() => {
            (Outcome::Retained, format!("+{grown}, steady{came_back}: kept by the allocator"))
        }
        None if trend.shape == Shape::Growing => (
            Outcome::Suspect,
            format!(
                "+{grown}, steady, and the heap is not measured: link the probe to tell a leak from retention"
            ),
        ),
        None => (Outcome::Retained, format!("+{grown}, not steady; the heap is not measured")),
    };
}

/// Pages that a rise which came to its end must have left behind to be told of: so many, and so many times what is alive.
const RSS_KEPT_BYTES: u64 = 16 << 20;
const RSS_KEPT_TIMES: u64 = 4;

/// Whether a rise that went level left far more pages behind than are alive: a long run sees the end of what a short one sees
/// rising.
fn is_kept(rise: i64, heap: &ResourceVerdict) -> bool {
    let (rise, live) = (u64::try_from(rise).unwrap_or_default(), heap.at_rest_bytes.unwrap_or(u64::MAX));
    heap.outcome == Outcome::Clean && rise >= RSS_KEPT_BYTES && rise >= live.saturating_mul(RSS_KEPT_TIMES)
}

/// What the allocator gave back when it was asked, where that is more than it takes at once.
fn came_back(bytes: u64) -> String {
    if bytes < RSS_NOISE_BYTES {
        return String::new();
    }
    format!("; {} came back when asked to trim", figures::bytes(bytes))
}

/// Ceilings hold whatever the growth; the worse of the two outcomes stands, both reasons are given.
fn judge_budgets(context: Context<'_>, verdict: &mut ResourceVerdict, rules: ResourceRules) {
    let resource = verdict.resource;
    let figure = |census: &Census| census.bytes(resource).or(census.count(resource));
    let at_rest = context
        .counted
        .iter()
        .filter_map(|record| Some((figure(&record.census)?, record.cycle)))
        .max_by_key(|(most, cycle)| (*most, std::cmp::Reverse(*cycle)));
    let mut over = Vec::new();
    if let (Some(peak), Some(max)) = (verdict.peak, rules.peak_max)
        && peak > max
    {
        over.push(format!(
            "peak {} is above the budget of {}",
            figures::amount(resource, peak),
            figures::amount(resource, max)
        ));
    }
    if let (Some((most, cycle)), Some(max)) = (at_rest, rules.at_rest_max)
        && most > max
    {
        over.push(format!(
            "{} at rest in cycle {cycle} is above the budget of {}",
            figures::amount(resource, most),
            figures::amount(resource, max)
        ));
    }
    if !over.is_empty() {
        let growth = (verdict.outcome > Outcome::Clean).then(|| std::mem::take(&mut verdict.why));
        verdict.outcome = verdict.outcome.max(Outcome::OverBudget);
        over.extend(growth);
        verdict.why = over.join("; ");
    }
}
