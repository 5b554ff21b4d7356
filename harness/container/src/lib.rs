//! The container engine: the target of a run in a container of its own, under limits of memory and of processes, on a network of
//! its own that leads nowhere else.
//!
//! `engine` is the way to the engine (Docker's), `labels` says whose a thing is, `files` and `image` make an image out of a
//! program of this machine, `network` is what peers and target see of each other, `resident` is the target in it, with what its
//! `cgroup` counts, and `house` brings all of it together. Whatever ends a run, nothing of it stays: `warden`.

mod cgroup;
mod engine;
mod files;
mod house;
mod image;
mod labels;
mod network;
mod resident;
mod warden;

pub use house::Containers;
pub use warden::{Belonging, WARDEN_ROLE, belongings, warden_role};
