//! Figures as people read them: `1.2 KiB`, `+1.00/cycle`, `1 per 50 cycles`.

use std::time::Duration;

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
            format!("{} {}/cycle ({})", signed(per_cycle), unit(resource, per_cycle), signed_bytes(bytes))
        }
        (resource, None) => format!("{} {}/cycle", signed(per_cycle), unit(resource, per_cycle)),
    }
}

/// The smallest leak that a resource's figures would have shown: `1 task per 33 cycles`. `None` if it states none.
pub fn sensitivity(verdict: &ResourceVerdict) -> Option<String> {
    let least = verdict.sensitivity_per_cycle?;
    let text = rare(least, |count| format!("{} {}", plain(count), unit(verdict.resource, count)));
    let bytes =
        verdict.sensitivity_bytes_per_cycle.map(|least| rare(least, |count| format!("{} B", plain(count))));
    Some(match bytes {
        Some(bytes) => format!("{text} or {bytes}"),
        None => text,
    })
}

/// A rate as a whole number of things, or as one thing in so many cycles. Rounded to the worse side.
fn rare(per_cycle: f64, things: impl Fn(f64) -> String) -> String {
    if per_cycle >= 1.0 {
        return format!("{} per cycle", things(per_cycle.ceil()));
    }
    match (1.0 / per_cycle).floor() {
        every if every <= 1.0 => format!("{} per cycle", things(1.0)),
        every => format!("{} per {} cycles", things(1.0), plain(every)),
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
        assert_eq!(rare(0.03, tasks), "1 task per 33 cycles");
        assert_eq!(rare(0.9, tasks), "1 task per cycle");
        assert_eq!(rare(1.5, tasks), "2 tasks per cycle");
    }
}
