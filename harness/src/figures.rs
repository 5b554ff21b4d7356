//! Figures as people read them: `1.2 KiB`, `+1.00/cycle`, `1 per 50 cycles`.

use std::time::Duration;

use crate::explain::Finding;
use crate::resource::Resource;
use crate::timeline::Audit;
use crate::units::Size;
use crate::verdict::{Outcome, ResourceVerdict};

/// A number of bytes in the unit that fits: `640 B`, `1.2 KiB`.
pub fn bytes(count: u64) -> String {
    if count < 10_000 { format!("{} B", grouped(count)) } else { Size(count).to_string() }
}

/// A count in groups of three: `19,842`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let lead = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && i % 3 == lead % 3 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure of `resource` in the unit of its budget: bytes for heap and RSS, a count for the rest.
pub fn amount(resource: Resource, figure: u64) -> String {
    match resource {
        Resource::Heap | Resource::Rss => bytes(figure),
        _ => grouped(figure),
    }
}

/// What a resource is counted in, in the plural that fits.
pub fn unit(resource: Resource, count: f64) -> &'static str {
    let one = (count - 1.0).abs() < 1e-9;
    match resource {
        Resource::Tasks => {
            if one {
                "task"
            } else {
                "tasks"
            }
        }
        Resource::Fds => {
            if one {
                "fd"
            } else {
                "fds"
            }
        }
        Resource::Threads => {
            if one {
                "thread"
            } else {
                "threads"
            }
        }
        Resource::Heap => {
            if one {
                "block"
            } else {
                "blocks"
            }
        }
        Resource::Rss => "bytes",
    }
}

/// A span of time with at most two units: `1.04 s`, `3 min 20 s`, `72 h`.
pub fn time(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.is_zero() => "0 s".to_owned(),
        0 if span.as_millis() == 0 => format!("{} µs", span.as_micros()),
        0 => format!("{} ms", span.as_millis()),
        1..=9 => trim_zeros(format!("{:.2}", span.as_secs_f64())) + " s",
        10..=59 => trim_zeros(format!("{:.1}", span.as_secs_f64())) + " s",
        60..=3_599 => two_units(seconds / 60, "min", seconds % 60, "s"),
        _ => two_units(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
    }
}

fn two_units(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{} {large_unit}", grouped(large)),
        _ => format!("{} {large_unit} {small} {small_unit}", grouped(large)),
    }
}

fn trim_zeros(number: String) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number,
    }
}

/// A rate with its sign and three figures that matter: `+1.00`, `-0.020`, `0`.
pub fn signed(rate: f64) -> String {
    if rate.abs() < 5e-5 {
        return "0".to_owned();
    }
    let decimals = match rate.abs() {
        large if large >= 100.0 => 0,
        large if large >= 10.0 => 1,
        usual if usual >= 0.1 => 2,
        _ => 4,
    };
    format!("{rate:+.decimals$}")
}

/// A rate of bytes with its sign: `+16 B`, `+4.1 KiB`, `+0.32 B`.
pub fn signed_bytes(rate: f64) -> String {
    if rate.abs() < 10.0 {
        return format!("{} B", signed(rate));
    }
    let sign = if rate < 0.0 { '-' } else { '+' };
    format!("{sign}{}", bytes(rate.abs().round() as u64))
}

/// The growth of a resource per cycle, units first: `+1.00 blocks/cycle (+16 B)`.
pub fn growth(verdict: &ResourceVerdict) -> String {
    let per_cycle = verdict.growth_per_cycle;
    match (verdict.resource, verdict.growth_bytes_per_cycle) {
        (Resource::Rss, Some(bytes)) => format!("{}/cycle", signed_bytes(bytes)),
        (resource, Some(bytes)) => {
            format!("{} {}/cycle ({})", signed(per_cycle), unit(resource, 2.0), signed_bytes(bytes))
        }
        (resource, None) => format!("{} {}/cycle", signed(per_cycle), unit(resource, 2.0)),
    }
}

/// The same for a narrow column, without units that its row names: `+1.00`, `+4.00, +256.0 KiB`.
pub fn growth_in_short(verdict: &ResourceVerdict) -> String {
    match (verdict.resource, verdict.growth_bytes_per_cycle, verdict.at_rest) {
        (Resource::Rss, Some(bytes), _) | (_, Some(bytes), None) => signed_bytes(bytes),
        (_, Some(bytes), _) if bytes != 0.0 => {
            let units = signed(verdict.growth_per_cycle);
            format!("{units} {}, {}", unit(verdict.resource, 2.0), signed_bytes(bytes))
        }
        _ => signed(verdict.growth_per_cycle),
    }
}

/// What a clean run would have seen of each resource: `1 task, 1 fd, 1 block per 19 cycles`. Empty: nothing stated.
///
/// Bytes have their own figure only where it says more than the blocks do.
pub fn sensitivities(verdicts: &[ResourceVerdict]) -> String {
    let mut said: Vec<(String, String)> = Vec::new();
    for verdict in verdicts {
        if let Some(least) = verdict.sensitivity_per_cycle {
            said.push(rare(least, |count| format!("{} {}", plain(count), unit(verdict.resource, count))));
        } else if let Some(least) = verdict.sensitivity_bytes_per_cycle {
            said.push(rare(least, |count| format!("{} B", plain(count))));
        }
    }
    let mut text = String::new();
    for (i, (things, rate)) in said.iter().enumerate() {
        let same = said.get(i + 1).is_some_and(|next| next.1 == *rate);
        text += things;
        text += &if same { ", ".to_owned() } else { format!(" {rate}") };
        text += if same || i + 1 == said.len() { "" } else { "; " };
    }
    text
}

/// What stayed behind at a site: `40 tasks`, `160 blocks (10.0 MiB)`.
pub fn survivors(finding: &Finding) -> String {
    let count = format!(
        "{} {}",
        grouped(finding.survivors.unsigned_abs()),
        unit(finding.resource, finding.survivors as f64)
    );
    match (finding.survivors, finding.survivor_bytes) {
        (_, 0) => count,
        (0, held) => format!("{} more", bytes(held.unsigned_abs())),
        (_, held) => format!("{count} ({})", bytes(held.unsigned_abs())),
    }
}

/// Whose growth a finding is, to be put after its site: `, all of it for plc-7`; empty where it is nobody's in particular.
pub fn tenancy(finding: &Finding) -> String {
    let task = finding.task.as_ref().filter(|task| !finding.stack.iter().any(|frame| frame.ends_with(*task)));
    let task = task.filter(|_| finding.victim_of.is_none()).map(|task| format!("in tasks of {task}"));
    finding.tenancy().into_iter().chain(task).map(|whose| format!(", {whose}")).collect()
}

/// The smallest leak that a resource's figures would have shown: `1 task per 33 cycles`. `None` if it states none.
pub fn sensitivity(verdict: &ResourceVerdict) -> Option<String> {
    let units = |count: f64| format!("{} {}", plain(count), unit(verdict.resource, count));
    let said = |(things, rate): (String, String)| format!("{things} {rate}");
    let text = said(rare(verdict.sensitivity_per_cycle?, units));
    let bytes = verdict
        .sensitivity_bytes_per_cycle
        .map(|least| said(rare(least, |count| format!("{} B", plain(count)))));
    Some(match bytes {
        Some(bytes) => format!("{text} or {bytes}"),
        None => text,
    })
}

/// The same without the bytes.
pub fn sensitivity_in_units(verdict: &ResourceVerdict) -> Option<String> {
    verdict.sensitivity_per_cycle.map(|least| rate(verdict.resource, least))
}

/// A leak of so many units a cycle: `1 task per 33 cycles`.
pub fn rate(resource: Resource, per_cycle: f64) -> String {
    let (things, rate) = rare(per_cycle, |count| format!("{} {}", plain(count), unit(resource, count)));
    format!("{things} {rate}")
}

/// A rate as a whole number of things, or as one thing in so many cycles. Rounded to the worse side.
fn rare(per_cycle: f64, things: impl Fn(f64) -> String) -> (String, String) {
    match (1.0 / per_cycle).floor() {
        every if every >= 2.0 => (things(1.0), format!("per {} cycles", plain(every))),
        _ => (things(per_cycle.ceil()), "per cycle".to_owned()),
    }
}

fn plain(count: f64) -> String {
    grouped(count as u64)
}

/// An outcome in words.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Clean => "clean",
        Outcome::Retained => "retained",
        Outcome::Saturating => "saturating",
        Outcome::Suspect => "suspect",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Invalid => "invalid",
        Outcome::OverBudget => "over budget",
        Outcome::Leak => "leak",
    }
}

/// A control that did not hold, with what it needed.
pub fn failed_audit(audit: &Audit) -> String {
    let found = grouped(audit.found);
    match audit.at_most {
        Some(most) if audit.found > most => {
            format!("{}: {found}, at most {} allowed", audit.what, grouped(most))
        }
        _ => format!("{}: {found}, at least {} needed", audit.what, grouped(audit.at_least)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_no_digits_that_nobody_reads() {
        assert_eq!(bytes(640), "640 B");
        assert_eq!(bytes(1_234_567), "1.2 MiB");
        assert_eq!(grouped(19_842), "19,842");
        assert_eq!(grouped(842), "842");
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(signed(1.0), "+1.00");
        assert_eq!(signed(1.0 / 3.0), "+0.33");
        assert_eq!(signed(-0.02), "-0.0200");
        assert_eq!(signed(0.0), "0");
        assert_eq!(signed_bytes(16_384.0), "+16.0 KiB");
        assert_eq!(signed_bytes(0.32), "+0.32 B");
    }

    #[test]
    fn times_have_two_units_at_most() {
        assert_eq!(time(Duration::from_micros(1_040_000)), "1.04 s");
        assert_eq!(time(Duration::from_secs(10)), "10 s");
        assert_eq!(time(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(time(Duration::from_secs(72 * 3_600)), "72 h");
        assert_eq!(time(Duration::from_millis(12)), "12 ms");
    }

    #[test]
    fn a_rare_leak_is_one_thing_in_so_many_cycles() {
        let tasks = |count: f64| format!("{} {}", plain(count), unit(Resource::Tasks, count));
        let said = |per_cycle| rare(per_cycle, tasks);
        assert_eq!(said(0.03), ("1 task".to_owned(), "per 33 cycles".to_owned()));
        assert_eq!(said(0.9), ("1 task".to_owned(), "per cycle".to_owned()));
        assert_eq!(said(1.5), ("2 tasks".to_owned(), "per cycle".to_owned()));
    }
}
