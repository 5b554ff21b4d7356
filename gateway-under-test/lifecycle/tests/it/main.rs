//! Each machine, with std's types as it ships, beside a reference that is plainly right, through sequences of operations by chance.

mod cancel;
mod gate;
mod generation;
mod no_trace;
mod pending;
mod slot;
mod wakes;
