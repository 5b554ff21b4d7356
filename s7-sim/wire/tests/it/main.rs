//! The codec against recordings of real peers, and against what chance makes of them.

mod addresses;
mod captured;
mod properties;
mod recording;
mod services;
mod values;
