//! Generators: values that move. Each is a function of time and seed, nothing else, so that equal runs read equal values.

use std::f64::consts::TAU;
use std::time::Duration;

use s7_wire::{Value, ValueType};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{chance, duration};

/// A value at a place in a data block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// The first byte.
    pub at: usize,
    /// The bit, for `bool`.
    #[serde(default)]
    pub bit: u8,
    /// The value's type: bool, byte, word, int, dword, dint or real.
    #[serde(rename = "type", serialize_with = "write_type", deserialize_with = "read_type")]
    pub kind: ValueType,
    /// How it moves.
    pub signal: Signal,
}

/// How a value moves from one scan to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Signal {
    /// Set once, at the start; what a client writes there stays.
    Constant(f64),
    /// `start`, then `step` more with each scan; wraps around in the type.
    Counter {
        /// The value of the first scan.
        start: i64,
        /// What each scan adds.
        step: i64,
    },
    /// `offset` + `amplitude` · sin(2π · time / `period`).
    Sine {
        /// The largest distance from `offset`.
        amplitude: f64,
        /// One whole wave.
        #[serde(with = "duration")]
        period: Duration,
        /// The middle.
        offset: f64,
    },
    /// A new value between `min` and `max` with each scan, from the PLC's seed; a `bool` is on every other time.
    Random {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
}

/// When a value is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Scans since the PLC started.
    pub scan: u64,
    /// Time since the PLC started, at the beginning of this scan.
    pub elapsed: Duration,
}

impl Generator {
    /// A generator at byte `at` (bit 0).
    pub fn new(at: usize, kind: ValueType, signal: Signal) -> Self {
        Self { at, bit: 0, kind, signal }
    }

    /// Whether the generator fits a block of `bytes`, or what is wrong with it.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), String> {
        // Trying it on zeros is the check that cannot disagree with the use.
        let zeros = vec![0; bytes];
        self.kind.read(&zeros, self.at, self.bit).map_err(|error| error.to_string())?;
        match self.signal {
            Signal::Sine { period, .. } if period.is_zero() => {
                Err("`period` must be longer than 0s".to_owned())
            }
            Signal::Random { min, max } if min.is_nan() || max.is_nan() || min > max => {
                Err(format!("`min` must be at most `max`, found {min} and {max}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the value changes after the first scan.
    pub(crate) fn moves(&self) -> bool {
        !matches!(self.signal, Signal::Constant(_))
    }

    /// The value at `moment`. `place` makes generators of one seed differ.
    pub(crate) fn value(&self, moment: Moment, seed: u64, place: u64) -> Value {
        match self.signal {
            Signal::Constant(value) => from_f64(self.kind, value),
            Signal::Counter { start, step } => {
                from_i64(self.kind, start.wrapping_add(step.wrapping_mul(moment.scan as i64)))
            }
            Signal::Sine { amplitude, period, offset } => {
                let waves = moment.elapsed.as_secs_f64() / period.as_secs_f64();
                from_f64(self.kind, offset + amplitude * (TAU * waves.fract()).sin())
            }
            Signal::Random { min, max } => {
                let mut rng = chance::rng(seed, [place, moment.scan]);
                match self.kind {
                    ValueType::Bool => Value::Bool(rng.bool()),
                    kind => from_f64(kind, min + (max - min) * rng.f64()),
                }
            }
        }
    }
}

/// Rounds towards zero and stops at the type's ends.
fn from_f64(kind: ValueType, value: f64) -> Value {
    match kind {
        ValueType::Bool => Value::Bool(value != 0.0),
        ValueType::Byte => Value::Byte(value as u8),
        ValueType::Word => Value::Word(value as u16),
        ValueType::Int => Value::Int(value as i16),
        ValueType::Dword => Value::Dword(value as u32),
        ValueType::Dint => Value::Dint(value as i32),
        ValueType::Real => Value::Real(value as f32),
    }
}

/// Wraps around at the type's ends; a bit alternates.
fn from_i64(kind: ValueType, value: i64) -> Value {
    match kind {
        ValueType::Bool => Value::Bool(value & 1 != 0),
        ValueType::Byte => Value::Byte(value as u8),
        ValueType::Word => Value::Word(value as u16),
        ValueType::Int => Value::Int(value as i16),
        ValueType::Dword => Value::Dword(value as u32),
        ValueType::Dint => Value::Dint(value as i32),
        ValueType::Real => Value::Real(value as f32),
    }
}

fn write_type<S: Serializer>(kind: &ValueType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn read_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ValueType, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(scan: u64) -> Moment {
        Moment { scan, elapsed: Duration::from_millis(100) * scan as u32 }
    }

    #[test]
    fn a_counter_counts_scans_and_wraps_in_its_type() {
        let counter = Generator::new(0, ValueType::Byte, Signal::Counter { start: 250, step: 3 });
        assert_eq!(counter.value(at(1), 0, 0), Value::Byte(253));
        assert_eq!(counter.value(at(2), 0, 0), Value::Byte(0));
    }

    #[test]
    fn a_sine_passes_its_middle_and_its_top() {
        let signal = Signal::Sine { amplitude: 10.0, period: Duration::from_secs(4), offset: 20.0 };
        let sine = Generator::new(0, ValueType::Real, signal);
        assert_eq!(sine.value(at(0), 0, 0), Value::Real(20.0));
        assert_eq!(sine.value(at(10), 0, 0), Value::Real(30.0));
    }

    #[test]
    fn chance_repeats_with_its_seed_and_differs_by_seed_place_and_scan() {
        let random = Generator::new(0, ValueType::Dint, Signal::Random { min: -1e9, max: 1e9 });
        let value = random.value(at(3), 1, 2);
        assert_eq!(random.value(at(3), 1, 2), value);
        for other in [random.value(at(4), 1, 2), random.value(at(3), 2, 2), random.value(at(3), 1, 3)] {
            assert_ne!(other, value);
        }
    }

    #[test]
    fn generators_that_cannot_work_are_refused() {
        let no_period = Signal::Sine { amplitude: 1.0, period: Duration::ZERO, offset: 0.0 };
        assert!(Generator::new(0, ValueType::Real, no_period).check(4).is_err());
        let upside_down = Signal::Random { min: 2.0, max: 1.0 };
        assert!(Generator::new(0, ValueType::Real, upside_down).check(4).is_err());
        let ninth_bit = Generator { bit: 8, ..Generator::new(0, ValueType::Bool, Signal::Constant(1.0)) };
        assert!(ninth_bit.check(4).is_err());
    }
}
