//! Brings a world to life and plays its cycles: the same cycle in every engine.

mod plant;

pub use plant::{Plant, PlantError, Planted};
