//! Plays a scenario faster than written: for engines whose clock cannot jump.

use std::time::Duration;

use serde_json::Value;

use crate::chaos::Fault;
use crate::scenario::Scenario;
use crate::scenario::model::PeerSpec;
use crate::scenario::plan::WATCH;
use crate::units::{Rate, Time};

/// A watch window shorter than this says nothing about a process that shares its machine.
const WATCH_MIN: Duration = Duration::from_millis(300);

/// `scenario` with every time of its disturbances divided by `pace`, and every rate of a fault multiplied by it.
///
/// Bounds (`within`) stay as written: a machine does not become faster, and a bound that is not reached costs nothing.
pub(super) fn paced<P: PeerSpec>(scenario: &Scenario<P>, pace: f64) -> Scenario<P> {
    let mut paced = scenario.clone();
    for phase in &mut paced.cycle {
        phase.lasts = phase.lasts.map(|lasts| faster(lasts, pace));
        phase.watch = Some(Time(phase.watch.map_or(WATCH, |watch| watch.0).div_f64(pace).max(WATCH_MIN)));
        for fault in &mut phase.faults {
            *fault = paced_fault(fault, pace);
        }
    }
    for link in paced.links.values_mut() {
        link.latency = link.latency.map(|latency| faster(latency, pace));
    }
    paced
}

fn faster(time: Time, pace: f64) -> Time {
    Time(time.0.div_f64(pace))
}

/// A fault's keys are known to its own type alone, so its values are found by their units.
fn paced_fault(fault: &Fault, pace: f64) -> Fault {
    let Ok(mut value) = serde_json::to_value(fault) else { return fault.clone() };
    pace_values(&mut value, pace);
    let mut paced = serde_json::from_value(value).unwrap_or_else(|_| fault.clone());
    match (&mut paced, fault) {
        (Fault::Kill(paced), Fault::Kill(written)) => paced.within = written.within,
        // Settings are the target's: its world brings them to the pace, with all its others.
        (Fault::Reload(paced), Fault::Reload(written)) => paced.with = written.with.clone(),
        _ => {}
    }
    paced
}

fn pace_values(value: &mut Value, pace: f64) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| pace_values(value, pace)),
        Value::Array(list) => list.iter_mut().for_each(|value| pace_values(value, pace)),
        Value::String(text) => {
            if let Ok(time) = text.parse::<Time>() {
                *text = faster(time, pace).to_string();
            } else if let Ok(rate) = text.parse::<Rate>() {
                *text = format!("{}B/s", (rate.0 as f64 * pace) as u64);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(yaml: &str) -> Fault {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn times_shrink_rates_grow_and_the_rest_stays() {
        assert_eq!(
            paced_fault(&fault("flap: { link: plc, up: 4s, down: 1s, jitter: 20%, mode: close }"), 10.0),
            fault("flap: { link: plc, up: 400ms, down: 100ms, jitter: 20%, mode: close }"),
        );
        assert_eq!(
            paced_fault(&fault("bandwidth: { link: plc, rate: 1KiB/s, at: 5s }"), 10.0),
            fault("bandwidth: { link: plc, rate: 10KiB/s, at: 500ms }"),
        );
    }

    #[test]
    fn the_end_of_a_process_keeps_its_bound() {
        assert_eq!(
            paced_fault(&fault("kill: { within: 10s, at: 10s }"), 10.0),
            fault("kill: { within: 10s, at: 1s }"),
        );
    }

    #[test]
    fn a_reload_comes_sooner_and_its_settings_stay_as_they_were_written() {
        assert_eq!(
            paced_fault(&fault("reload: { at: 10s, with: { http: { idle: 30s } } }"), 10.0),
            fault("reload: { at: 1s, with: { http: { idle: 30s } } }"),
        );
    }
}
