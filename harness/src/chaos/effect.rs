//! What faults did on their link, counted where it happens: a toxic that does nothing is found out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use crate::chaos::Fault;
use crate::chaos::toxics::flap::DownMode;
use crate::chaos::toxics::half_open::Gone;

/// What all faults of one kind did on one link, those that are still at work apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Spells, each from a fault's beginning to its end, in which it did what its kind is there for.
    pub spells: u64,
    /// Connections that it cut.
    pub cut: u64,
    /// Connects that it refused, and times that it had nobody listen.
    pub refused: u64,
    /// Connects that waited for its end, and accepted connections that waited to be served.
    pub hung: u64,
    /// Connections of which it took one end away.
    pub taken: u64,
    /// Bytes that it made arrive later.
    pub bytes_delayed: u64,
    /// Bytes that had arrived and were kept from their reader, each counted once a connection and spell.
    pub bytes_withheld: u64,
    /// Bytes that it lost.
    pub bytes_dropped: u64,
}

impl Effect {
    fn add(&mut self, other: Self) {
        self.spells += other.spells;
        self.cut += other.cut;
        self.refused += other.refused;
        self.hung += other.hung;
        self.taken += other.taken;
        self.bytes_delayed += other.bytes_delayed;
        self.bytes_withheld += other.bytes_withheld;
        self.bytes_dropped += other.bytes_dropped;
    }

    /// What in here shows that `fault` worked.
    fn shown(&self, fault: &Fault) -> u64 {
        match proof(fault) {
            Proof::Cut => self.cut,
            Proof::CutOrRefused => self.cut + self.refused,
            Proof::Refused => self.refused,
            Proof::Hung => self.hung,
            Proof::Taken => self.taken,
            Proof::Delayed => self.bytes_delayed,
            Proof::Withheld => self.bytes_withheld,
            Proof::WithheldOrHung => self.bytes_withheld + self.hung,
            Proof::Elsewhere => 0,
        }
    }
}

/// What shows that a fault worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A connection was cut.
    Cut,
    /// A connection was cut, or a connect refused.
    CutOrRefused,
    /// A connect was refused.
    Refused,
    /// A connect, or an accepted connection, waited.
    Hung,
    /// A connection lost one of its ends.
    Taken,
    /// Bytes came later.
    Delayed,
    /// Bytes that had arrived were not handed out.
    Withheld,
    /// The same, or a connect that heard nothing.
    WithheldOrHung,
    /// It is not the link that shows it.
    Elsewhere,
}

impl Proof {
    /// In words, to be put before `by` and the fault's name.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Cut => "times connections were cut",
            Self::CutOrRefused => "times connections were cut or refused",
            Self::Refused => "times connects were refused",
            Self::Hung => "times connections waited to be served",
            Self::Taken => "times peers were taken away",
            Self::Delayed => "times bytes were delayed",
            Self::Withheld => "times bytes were withheld",
            Self::WithheldOrHung => "times bytes or connects were swallowed",
            Self::Elsewhere => "times carried out",
        }
    }
}

/// What shows that `fault` worked.
pub(crate) const fn proof(fault: &Fault) -> Proof {
    match fault {
        Fault::Reset(_) | Fault::Close(_) | Fault::HalfClose(_) | Fault::Limit(_) => Proof::Cut,
        Fault::Refuse(_) => Proof::Refused,
        Fault::Flap(flap) => match flap.mode {
            DownMode::Reset | DownMode::Close => Proof::CutOrRefused,
            DownMode::Refuse => Proof::Refused,
            DownMode::Blackhole | DownMode::AcceptHang => Proof::WithheldOrHung,
        },
        Fault::AcceptHang(_) | Fault::AcceptDelay(_) => Proof::Hung,
        Fault::Latency(_) | Fault::Retransmit(_) => Proof::Delayed,
        Fault::Bandwidth(_)
        | Fault::Stall(_)
        | Fault::SlowRead(_)
        | Fault::Mute(_)
        | Fault::Slice(_)
        | Fault::Coalesce(_) => Proof::Withheld,
        Fault::Blackhole(_) => Proof::WithheldOrHung,
        Fault::HalfOpen(half_open) => match half_open.gone {
            Gone::Peer | Gone::Target => Proof::Taken,
            Gone::Nobody => Proof::WithheldOrHung,
        },
        Fault::Storm(_) | Fault::Kill(_) | Fault::Pause(_) | Fault::Reload(_) | Fault::Partition(_) => {
            Proof::Elsewhere
        }
    }
}

/// Effects by kind of fault.
pub type Effects = BTreeMap<&'static str, Effect>;

/// What one spell of one fault did so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    cut: AtomicU64,
    refused: AtomicU64,
    hung: AtomicU64,
    taken: AtomicU64,
    bytes_delayed: AtomicU64,
    bytes_withheld: AtomicU64,
    bytes_dropped: AtomicU64,
}

impl Tally {
    pub(super) fn cut(&self) {
        self.cut.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn hung(&self) {
        self.hung.fetch_add(1, Relaxed);
    }

    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Relaxed);
    }

    pub(super) fn delayed(&self, bytes: usize) {
        self.bytes_delayed.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn withheld(&self, bytes: u64) {
        self.bytes_withheld.fetch_add(bytes, Relaxed);
    }

    pub(super) fn dropped(&self, bytes: usize) {
        self.bytes_dropped.fetch_add(bytes as u64, Relaxed);
    }

    /// Adds the spell of `fault`, now that it is over, to what its kind did before.
    pub(super) fn end(&self, fault: &Fault, effects: &mut Effects) {
        let spell = Effect {
            spells: 0,
            cut: self.cut.load(Relaxed),
            refused: self.refused.load(Relaxed),
            hung: self.hung.load(Relaxed),
            taken: self.taken.load(Relaxed),
            bytes_delayed: self.bytes_delayed.load(Relaxed),
            bytes_withheld: self.bytes_withheld.load(Relaxed),
            bytes_dropped: self.bytes_dropped.load(Relaxed),
        };
        let spells = u64::from(spell.shown(fault) > 0);
        effects.entry(fault.name()).or_default().add(Effect { spells, ..spell });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_spell_that_did_what_its_kind_is_for_counts_as_one() {
        let stall: Fault = serde_saphyr::from_str("stall: { link: plc }").expect("a fault");
        let (idle, at_work, mut effects) = (Tally::default(), Tally::default(), Effects::new());
        idle.delayed(7);
        at_work.withheld(7);
        idle.end(&stall, &mut effects);
        at_work.end(&stall, &mut effects);
        let expected = Effect { spells: 1, bytes_delayed: 7, bytes_withheld: 7, ..Effect::default() };
        assert_eq!(effects["stall"], expected);
    }
}
