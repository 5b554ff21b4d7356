//! A fault as a scenario writes it, and the fixed events it compiles to.

use std::fmt;
use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chaos::toxic::{Dir, OnHeal, Toxic};
use crate::chaos::toxics::accept_delay::AcceptDelay;
use crate::chaos::toxics::accept_hang::AcceptHang;
use crate::chaos::toxics::bandwidth::Bandwidth;
use crate::chaos::toxics::blackhole::Blackhole;
use crate::chaos::toxics::close::Close;
use crate::chaos::toxics::coalesce::Coalesce;
use crate::chaos::toxics::flap::{DownMode, Flap};
use crate::chaos::toxics::half_close::HalfClose;
use crate::chaos::toxics::half_open::HalfOpen;
use crate::chaos::toxics::kill::{Kill, Signal, TARGET};
use crate::chaos::toxics::latency::Latency;
use crate::chaos::toxics::limit::Limit;
use crate::chaos::toxics::mute::Mute;
use crate::chaos::toxics::partition::Partition;
use crate::chaos::toxics::pause::Pause;
use crate::chaos::toxics::refuse::Refuse;
use crate::chaos::toxics::reload::Reload;
use crate::chaos::toxics::reset::Reset;
use crate::chaos::toxics::retransmit::Retransmit;
use crate::chaos::toxics::slice::Slice;
use crate::chaos::toxics::slow_read::SlowRead;
use crate::chaos::toxics::stall::Stall;
use crate::chaos::toxics::storm::{Abandon, Storm};
use crate::seed::Seed;
use crate::units::Time;

/// What goes wrong in a phase: a single-key map, such as `latency: { link: plc, delay: 50ms }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Every chunk arrives later.
    Latency(#[garde(dive)] Latency),
    /// So many bytes a second, then back-pressure.
    Bandwidth(#[garde(dive)] Bandwidth),
    /// New connections are refused.
    Refuse(#[garde(dive)] Refuse),
    /// New connections are accepted and not served.
    AcceptHang(#[garde(dive)] AcceptHang),
    /// New connections are served later.
    AcceptDelay(#[garde(dive)] AcceptDelay),
    /// Connections end with a RST.
    Reset(#[garde(dive)] Reset),
    /// Connections end with a FIN.
    Close(#[garde(dive)] Close),
    /// One direction ends with a FIN, the other goes on.
    HalfClose(#[garde(dive)] HalfClose),
    /// Connections carry so much, or last so long, and are closed.
    Limit(#[garde(dive)] Limit),
    /// One side falls silent.
    Mute(#[garde(dive)] Mute),
    /// A peer vanishes without a word.
    HalfOpen(#[garde(dive)] HalfOpen),
    /// Nothing gets through, nobody is told, connections survive.
    Blackhole(#[garde(dive)] Blackhole),
    /// The flow stops and goes on.
    Stall(#[garde(dive)] Stall),
    /// The receiver hardly reads.
    SlowRead(#[garde(dive)] SlowRead),
    /// What was written together arrives in pieces.
    Slice(#[garde(dive)] Slice),
    /// What was written one by one arrives together.
    Coalesce(#[garde(dive)] Coalesce),
    /// Packets are lost and sent again.
    Retransmit(#[garde(dive)] Retransmit),
    /// The link goes down and comes back, over and over.
    Flap(#[garde(dive)] Flap),
    /// Many connections at once, each abandoned half-way.
    Storm(#[garde(dive)] Storm),
    /// The target or a peer is ended by a signal.
    Kill(#[garde(dive)] Kill),
    /// The target or a peer stands still, and goes on.
    Pause(#[garde(dive)] Pause),
    /// The target is told to read its settings again.
    Reload(#[garde(dive)] Reload),
    /// The target is cut off from everybody, and connected again.
    Partition(#[garde(dive)] Partition),
}

/// The keys that all faults on a link share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Common<'a> {
    /// The link.
    pub link: &'a str,
    /// The directions.
    pub dir: Dir,
    /// The part of the connections that is held.
    pub p: f64,
    /// When it begins within the phase.
    pub at: Duration,
    /// How long it lasts; `None`: until the end of the phase.
    pub lasts: Option<Duration>,
    /// What becomes of held connections when it ends.
    pub on_heal: OnHeal,
}

/// A fault on a link: the shared keys, and the toxic it puts to work on one direction of one connection. Sealed: they are
/// variants of [`Fault`].
pub trait LinkFault: sealed::Sealed {
    /// The shared keys.
    fn common(&self) -> Common<'_>;

    /// A fresh toxic.
    fn toxic(&self) -> Box<dyn Toxic>;
}

pub(super) mod sealed {
    /// What only this crate implements.
    pub trait Sealed {}
}

/// Which fault: unique on its link while it lasts, and the source of its dice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId {
    /// The number given to [`Fault::id`].
    pub index: usize,
    /// The stream that all draws of this fault come from.
    pub dice: Seed,
}

/// One thing that happens at a fixed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The fault takes effect on its link.
    Begin,
    /// It heals.
    End,
    /// A flapping link goes down.
    Down,
    /// A flapping link comes back.
    Up,
    /// A connection of a storm is opened, to be abandoned.
    OpenConnection {
        /// Its number in the storm, from 0.
        n: u32,
        /// How far it gets.
        abandon: Abandon,
    },
    /// A party is told to end by a signal.
    Kill {
        /// With what.
        signal: Signal,
        /// How long it may take to end.
        #[serde(skip)]
        within: Duration,
        /// Whether it is started again.
        restart: bool,
    },
    /// A party stands still.
    Pause,
    /// It goes on.
    Resume,
    /// The target is told to read its settings again.
    Reload,
    /// The target is cut off from everybody.
    Partition,
    /// It is connected again.
    Repair,
}

impl Fault {
    /// The key in YAML.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::Refuse(_) => "refuse",
            Self::AcceptHang(_) => "accept_hang",
            Self::AcceptDelay(_) => "accept_delay",
            Self::Reset(_) => "reset",
            Self::Close(_) => "close",
            Self::HalfClose(_) => "half_close",
            Self::Limit(_) => "limit",
            Self::Mute(_) => "mute",
            Self::HalfOpen(_) => "half_open",
            Self::Blackhole(_) => "blackhole",
            Self::Stall(_) => "stall",
            Self::SlowRead(_) => "slow_read",
            Self::Slice(_) => "slice",
            Self::Coalesce(_) => "coalesce",
            Self::Retransmit(_) => "retransmit",
            Self::Flap(_) => "flap",
            Self::Storm(_) => "storm",
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Reload(_) => "reload",
            Self::Partition(_) => "partition",
        }
    }

    /// The link it works on; `None` for a fault of a party's process.
    pub fn link(&self) -> Option<&str> {
        self.on_link().map(|fault| fault.common().link)
    }

    /// Whose process it is about: `target`, or a peer's name; `None` for a fault on a link.
    pub fn party(&self) -> Option<&str> {
        match self {
            Self::Kill(kill) => Some(&kill.peer),
            Self::Pause(pause) => Some(&pause.peer),
            Self::Reload(_) | Self::Partition(_) => Some(TARGET),
            _ => None,
        }
    }

    /// The peer whose process it is about; `None` for a fault of the target's, and for one on a link.
    pub fn peer(&self) -> Option<&str> {
        self.party().filter(|party| *party != TARGET)
    }

    /// Whether it has connects go unheard: the listener behind it drops them.
    pub fn hangs_connects(&self) -> bool {
        match self {
            Self::Blackhole(_) | Self::HalfOpen(_) => true,
            Self::Flap(flap) => flap.mode == DownMode::Blackhole,
            _ => false,
        }
    }

    /// The fault as one on a link; `None` for a fault of a party's process.
    pub fn on_link(&self) -> Option<&dyn LinkFault> {
        Some(match self {
            Self::Latency(fault) => fault,
            Self::Bandwidth(fault) => fault,
            Self::Refuse(fault) => fault,
            Self::Reset(fault) => fault,
            Self::Close(fault) => fault,
            Self::HalfOpen(fault) => fault,
            Self::HalfClose(fault) => fault,
            Self::Limit(fault) => fault,
            Self::Mute(fault) => fault,
            Self::AcceptHang(fault) => fault,
            Self::AcceptDelay(fault) => fault,
            Self::Slice(fault) => fault,
            Self::Coalesce(fault) => fault,
            Self::Retransmit(fault) => fault,
            Self::Blackhole(fault) => fault,
            Self::Stall(fault) => fault,
            Self::SlowRead(fault) => fault,
            Self::Flap(fault) => fault,
            Self::Storm(fault) => fault,
            Self::Kill(_) | Self::Pause(_) | Self::Reload(_) | Self::Partition(_) => return None,
        })
    }

    /// The identity of this fault in a cycle with that `seed`.
    ///
    /// `index` counts the faults of the same kind on the same link ([`indices`]), not all of them, so that adding an
    /// unrelated fault changes nobody's dice. Phases need seeds of their own: `seed.stream(phase, cycle)`.
    pub fn id(&self, index: usize, seed: Seed) -> FaultId {
        let dice = seed.stream(self.name(), index as u64).stream(self.link().unwrap_or_default(), 0);
        FaultId { index, dice }
    }

    /// What happens and when, from the start of a phase of `length`: in order, and healed at its end.
    ///
    /// Takes the same `index` and `seed` as [`Fault::id`]. Nothing comes back for a fault that begins after the phase ends.
    pub fn compile(&self, index: usize, length: Duration, seed: Seed) -> Vec<(Duration, Change)> {
        match self {
            Self::Kill(kill) => return kill_at(kill, length),
            Self::Pause(pause) => return pause_at(pause, length),
            Self::Partition(partition) => return partition_at(partition, length),
            Self::Reload(reload) => return once(reload.at, Change::Reload, length),
            _ => {}
        }
        let Some(common) = self.on_link().map(LinkFault::common) else { return Vec::new() };
        if common.at >= length {
            return Vec::new();
        }
        let rest = length - common.at;
        let window = common.lasts.map_or(rest, |lasts| lasts.min(rest));
        let dice = self.id(index, seed).dice;
        let mut events = match self {
            Self::Flap(flap) => flaps(flap, window, dice),
            Self::Storm(storm) => openings(storm, window, dice),
            Self::Stall(stall) => stalls(stall, window, rest),
            _ => vec![(Duration::ZERO, Change::Begin), (window, Change::End)],
        };
        for (at, _) in &mut events {
            *at += common.at;
        }
        events
    }
}

/// For each fault how many of the same kind on the same link stand before it: the `index` of [`Fault::id`].
pub fn indices(faults: &[Fault]) -> Vec<usize> {
    let same = |a: &Fault, b: &Fault| a.name() == b.name() && a.link() == b.link();
    (0..faults.len())
        .map(|this| faults[..this].iter().filter(|before| same(before, &faults[this])).count())
        .collect()
}

fn kill_at(kill: &Kill, length: Duration) -> Vec<(Duration, Change)> {
    let change = Change::Kill { signal: kill.signal, within: kill.within.0, restart: kill.restart };
    once(kill.at, change, length)
}

fn once(at: Option<Time>, change: Change, length: Duration) -> Vec<(Duration, Change)> {
    let at = at.map_or(Duration::ZERO, |at| at.0);
    if at < length { vec![(at, change)] } else { Vec::new() }
}

fn pause_at(pause: &Pause, length: Duration) -> Vec<(Duration, Change)> {
    let stops = once(pause.at, Change::Pause, length);
    let goes_on = stops.first().map(|(at, _)| ((*at + pause.lasts.0).min(length), Change::Resume));
    stops.into_iter().chain(goes_on).collect()
}

fn partition_at(partition: &Partition, length: Duration) -> Vec<(Duration, Change)> {
    let cuts = once(partition.at, Change::Partition, length);
    let repaired = cuts.first().map(|(at, _)| ((*at + partition.lasts.0).min(length), Change::Repair));
    cuts.into_iter().chain(repaired).collect()
}

fn flaps(flap: &Flap, window: Duration, dice: Seed) -> Vec<(Duration, Change)> {
    let spells = flap.spells(window, dice).into_iter();
    spells.flat_map(|(from, to)| [(from, Change::Down), (to, Change::Up)]).collect()
}

fn openings(storm: &Storm, window: Duration, dice: Seed) -> Vec<(Duration, Change)> {
    let open = |(n, at)| (at, Change::OpenConnection { n, abandon: storm.abandon });
    (0..).zip(storm.openings(window, dice)).map(open).collect()
}

fn stalls(stall: &Stall, window: Duration, rest: Duration) -> Vec<(Duration, Change)> {
    let Some(every) = stall.every.map(|every| every.0).filter(|every| *every > Duration::ZERO) else {
        return vec![(Duration::ZERO, Change::Begin), (window, Change::End)];
    };
    let begins = std::iter::successors(Some(Duration::ZERO), |from| Some(*from + every));
    // A stall as long as its interval would end and begin at one moment: then it simply lasts.
    let lasts = if window >= every { rest } else { window };
    begins
        .take_while(|from| *from < rest)
        .take(if lasts == rest { 1 } else { usize::MAX })
        .flat_map(|from| [(from, Change::Begin), ((from + lasts).min(rest), Change::End)])
        .collect()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin => f.write_str("begins"),
            Self::End => f.write_str("heals"),
            Self::Down => f.write_str("goes down"),
            Self::Up => f.write_str("comes back"),
            Self::OpenConnection { n, abandon } => {
                let how = match abandon {
                    Abandon::BeforeHello => "before its hello",
                    Abandon::AfterHello => "after its hello",
                    Abandon::MidFrame => "in the middle of a frame",
                };
                write!(f, "opens connection {n}, abandoned {how}")
            }
            Self::Kill { signal, within, restart } => {
                let then = if *restart { ", then restart" } else { "" };
                write!(f, "SIG{}, to end within {}{then}", signal.name(), Time(*within))
            }
            Self::Pause => f.write_str("stops"),
            Self::Resume => f.write_str("goes on"),
            Self::Reload => f.write_str("is told to read its settings again"),
            Self::Partition => f.write_str("cuts it off"),
            Self::Repair => f.write_str("is repaired"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fault(yaml: &str) -> Fault {
        serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
    }

    fn events(yaml: &str, seconds: u64) -> Vec<String> {
        let events = fault(yaml).compile(0, seconds as u32 * SECOND, Seed(7));
        events.iter().map(|(at, change)| format!("{} {change}", Time(*at))).collect()
    }

    #[test]
    fn a_fault_lasts_for_its_window_or_its_phase() {
        assert_eq!(events("blackhole: { link: plc }", 30), ["0s begins", "30s heals"]);
        assert_eq!(events("blackhole: { link: plc, at: 5s, for: 2s }", 30), ["5s begins", "7s heals"]);
        assert_eq!(events("blackhole: { link: plc, at: 29s, for: 2s }", 30), ["29s begins", "30s heals"]);
        assert!(events("blackhole: { link: plc, at: 30s }", 30).is_empty());
    }

    #[test]
    fn a_flap_without_jitter_goes_down_on_the_second_and_is_up_at_the_end() {
        let flap = "flap: { link: plc, up: 2s, down: 3s, mode: close }";
        assert_eq!(events(flap, 9), ["2s goes down", "5s comes back", "7s goes down", "9s comes back"]);
    }

    #[test]
    fn a_jittered_flap_replays_from_its_seed_and_stays_within_its_bounds() {
        let flap = fault("flap: { link: plc, up: 2s, down: 1s, jitter: 20% }");
        let compile = |seed| flap.compile(0, 600 * SECOND, Seed(seed));
        assert_eq!(compile(7), compile(7));
        assert_ne!(compile(7), compile(8));
        for pair in compile(7).windows(2).take(300) {
            let spell = (pair[1].0 - pair[0].0).as_secs_f64();
            let middle = if pair[0].1 == Change::Down { 1.0 } else { 2.0 };
            assert!((spell - middle).abs() <= middle * 0.2 + 1e-6, "{spell} from {middle}");
        }
    }

    #[test]
    fn stalls_come_back_at_each_interval() {
        let stall = "stall: { link: plc, for: 1s, every: 4s }";
        assert_eq!(events(stall, 8), ["0s begins", "1s heals", "4s begins", "5s heals"]);
        assert_eq!(events("stall: { link: plc, for: 4s, every: 4s }", 8), ["0s begins", "8s heals"]);
    }

    #[test]
    fn a_storm_opens_every_connection_within_its_span() {
        let storm = fault("storm: { link: browser, conns: 50, over: 2s, abandon: mid_frame }");
        let events = storm.compile(0, 10 * SECOND, Seed(7));
        assert_eq!(events.len(), 50);
        assert!(events.is_sorted_by_key(|(at, _)| *at));
        assert!(events.iter().all(|(at, _)| *at < 2 * SECOND));
    }

    #[test]
    fn kill_says_what_it_does() {
        assert_eq!(events("kill: { at: 1s }", 5), ["1s SIGTERM, to end within 10s, then restart"]);
    }

    #[test]
    fn a_pause_ends_with_its_phase_at_the_latest() {
        assert_eq!(events("pause: { peer: plc, for: 2s, at: 1s }", 5), ["1s stops", "3s goes on"]);
        assert_eq!(events("pause: { peer: plc, for: 9s }", 5), ["0s stops", "5s goes on"]);
        assert!(events("pause: { for: 1s, at: 5s }", 5).is_empty());
    }

    #[test]
    fn a_partition_is_repaired_by_the_end_of_its_phase() {
        assert_eq!(events("partition: { for: 2s, at: 1s }", 5), ["1s cuts it off", "3s is repaired"]);
        assert_eq!(events("partition: { for: 9s }", 5), ["0s cuts it off", "5s is repaired"]);
        assert!(events("partition: { for: 1s, at: 5s }", 5).is_empty());
    }

    #[test]
    fn faults_of_processes_say_whose() {
        for (yaml, party, peer) in [
            ("kill: {}", "target", None),
            ("partition: { for: 1s }", "target", None),
            ("kill: { peer: plc }", "plc", Some("plc")),
            ("pause: { for: 1s }", "target", None),
            ("pause: { peer: broker, for: 1s }", "broker", Some("broker")),
            ("reload: { with: { log: debug } }", "target", None),
        ] {
            let fault = fault(yaml);
            assert_eq!((fault.party(), fault.peer(), fault.link()), (Some(party), peer, None), "{yaml}");
        }
        assert_eq!(events("reload: { at: 2s }", 5), ["2s is told to read its settings again"]);
    }

    #[test]
    fn an_unrelated_fault_changes_nobodys_index() {
        let alone = [fault("refuse: { link: plc }"), fault("refuse: { link: plc }")];
        let mixed =
            [&[fault("close: { link: plc }"), fault("refuse: { link: browser }")], &alone[..]].concat();
        assert_eq!(indices(&alone), [0, 1]);
        assert_eq!(indices(&mixed), [0, 0, 0, 1]);
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused() {
        let parse = |yaml| serde_saphyr::from_str::<Fault>(yaml).map(|fault: Fault| fault.validate());
        assert!(parse("refuse: { link: plc, delya: 1s }").is_err());
        assert!(parse("bandwidth: { link: plc, rate: 0 }").is_ok_and(|valid| valid.is_err()));
        assert!(parse("flap: { link: plc, up: 0s, down: 1s }").is_ok_and(|valid| valid.is_err()));
        assert!(parse("storm: { link: plc, conns: 0 }").is_ok_and(|valid| valid.is_err()));
        assert!(parse("bandwidth: { link: plc, rate: 1KiB/s }").is_ok_and(|valid| valid.is_ok()));
    }
}
