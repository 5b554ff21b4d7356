//! A fault of a rig from its beginning to its end, on the wall clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::chaos::fault::LinkFault;
use crate::chaos::{Change, Fault, FaultId, Link};
use crate::seed::Seed;
use crate::units::Time;

/// Turns of a fault with a schedule of its own that are compiled at once: nobody says how long it is to last.
const TURNS: u32 = 16;

/// The longest time that a fault may name: what is longer is a slip, and sums of times must stay representable.
const TIME_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A fault at work: on which link, which one it is, and what its schedule is drawn from.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) link: Arc<Link>,
    pub(super) id: FaultId,
    pub(super) fault: Fault,
    pub(super) index: usize,
    pub(super) seed: Seed,
    /// Whether it was ended; held while anything changes, so that nothing begins after that.
    pub(super) ended: Arc<Mutex<bool>>,
}

impl Part {
    /// Begins at once, if that is when it begins: whoever has asked for it finds it at work.
    pub(super) fn begin(&self) {
        let at = self.fault.on_link().map(|fault| fault.common().at);
        if at == Some(Duration::ZERO) && !matches!(self.fault, Fault::Flap(_)) {
            self.change(&Change::Begin);
        }
    }

    /// Heals it; it does not begin again.
    pub(super) fn end(&self) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended = true;
        self.link.heal(self.id);
    }

    fn change(&self, change: &Change) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            self.link.change(self.id, &self.fault, change);
        }
    }

    /// Plays it until it is over by itself, which most never are. Whoever drops this before must end it.
    pub(super) async fn play(self) {
        let common = self.fault.on_link().map(LinkFault::common);
        let (at, lasts) = common.map_or((Duration::ZERO, None), |common| (common.at, common.lasts));
        let begin = Instant::now() + at;
        sleep_until(begin).await;
        match turn(&self.fault) {
            Some((turn, whole)) => self.turns(begin, at, turn, whole.map(|whole| begin + whole)).await,
            None => {
                self.change(&Change::Begin);
                match lasts {
                    Some(lasts) => sleep_until(begin + lasts).await,
                    None => std::future::pending().await,
                }
                self.change(&Change::End);
            }
        }
    }

    /// Carries out a schedule window by window, each with dice of its own.
    async fn turns(&self, mut begin: Instant, at: Duration, turn: Duration, end: Option<Instant>) {
        for window in 0.. {
            let length = end.map_or(turn * TURNS, |end| (end - begin).min(turn * TURNS));
            if length.is_zero() {
                return;
            }
            // What is compiled begins at the fault's own `at`, which is over.
            for (after, change) in
                self.fault.compile(self.index, at + length, self.seed.stream("window", window))
            {
                sleep_until(begin + after.saturating_sub(at)).await;
                self.change(&change);
            }
            begin += length;
            sleep_until(begin).await;
        }
    }
}

/// How long a fault with a schedule of its own takes until it repeats, and how long it lasts in all if that is bounded.
fn turn(fault: &Fault) -> Option<(Duration, Option<Duration>)> {
    match fault {
        Fault::Flap(flap) => Some((flap.up.0 + flap.down.0, flap.lasts.map(|lasts| lasts.0))),
        Fault::Stall(stall) => stall.every.map(|every| (every.0, None)),
        _ => None,
    }
}

/// Why a rig cannot play `fault`; `None`: it can.
pub(super) fn objection(fault: &Fault) -> Option<String> {
    let name = fault.name();
    if fault.on_link().is_none() {
        return Some(format!(
            "`{name}` is a fault of a process, and a proxy has none: play it in a scenario"
        ));
    }
    if matches!(fault, Fault::Storm(_)) {
        return Some(format!(
            "`{name}` opens connections, and a proxy only hands them on: play it in a scenario"
        ));
    }
    let value = serde_json::to_value(fault).unwrap_or_default();
    longest(&value)
        .filter(|time| *time > TIME_MAX)
        .map(|time| format!("`{name}`: times may be at most {}, found {}", Time(TIME_MAX), Time(time)))
}

/// The longest time in it: a fault's keys are known to its own type alone, so its times are found by their units.
fn longest(value: &Value) -> Option<Duration> {
    match value {
        Value::Object(map) => map.values().filter_map(longest).max(),
        Value::String(text) => text.parse::<Time>().ok().map(|time| time.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::link::LinkEvent;
    use crate::chaos::{LinkObserver, Side};
    use crate::scenario::model::LinkSpec;

    /// Notes when faults begin and end, in milliseconds.
    #[derive(Debug)]
    struct Log(Instant, std::sync::Mutex<Vec<(u128, bool)>>);

    impl LinkObserver for Log {
        fn event(&self, at: Instant, _: &str, _: u64, event: LinkEvent) {
            let begins = matches!(event, LinkEvent::FaultBegun(_));
            self.1.lock().unwrap().push(((at - self.0).as_millis(), begins));
        }
    }

    async fn changes(yaml: &str, seconds: u64) -> Vec<(u128, bool)> {
        let fault: Fault = serde_saphyr::from_str(yaml).unwrap();
        let link = Link::new("plc", &LinkSpec::default(), Side::Server);
        let log = Arc::new(Log(Instant::now(), Default::default()));
        link.observe_with(Arc::clone(&log) as _);
        let part =
            Part { link, id: fault.id(0, Seed(7)), fault, index: 0, seed: Seed(7), ended: Arc::default() };
        _ = tokio::time::timeout(Duration::from_secs(seconds), part.play()).await;
        log.1.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_keeps_its_times() {
        let forever = changes("latency: { link: plc, delay: 5ms, at: 2s }", 9_999).await;
        assert_eq!(forever, [(2_000, true)]);
        let bounded = changes("latency: { link: plc, delay: 5ms, at: 2s, for: 3s }", 9_999).await;
        assert_eq!(bounded, [(2_000, true), (5_000, false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_schedule_goes_on_until_its_own_end() {
        let flap = changes("flap: { link: plc, up: 2s, down: 1s, at: 1s }", 301).await;
        assert_eq!(flap.len(), 200, "100 spells in 300 s");
        assert!(flap.windows(2).all(|pair| pair[1].0 - pair[0].0 == if pair[0].1 { 1_000 } else { 2_000 }));
        let short = changes("flap: { link: plc, up: 2s, down: 1s, for: 5s }", 301).await;
        assert_eq!(short, [(2_000, true), (3_000, false)]);
        let stalls = changes("stall: { link: plc, for: 1s, every: 4s }", 399).await;
        assert_eq!(stalls.len(), 200);
        assert_eq!(stalls[198..], [(396_000, true), (397_000, false)]);
    }

    #[test]
    fn what_a_proxy_cannot_do_is_said() {
        let objection = |yaml| objection(&serde_saphyr::from_str::<Fault>(yaml).unwrap());
        assert!(objection("kill: {}").unwrap().contains("fault of a process"));
        assert!(objection("storm: { link: plc, conns: 5 }").unwrap().contains("opens connections"));
        let endless = objection("latency: { link: plc, delay: 5000000years }").unwrap();
        assert!(endless.contains("at most"), "{endless}");
        assert_eq!(objection("flap: { link: plc, up: 1s, down: 1s }"), None);
    }
}
