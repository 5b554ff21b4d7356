//! The S7 client on its own: against the simulator, and against peers that do as a test tells them.

mod batches;
mod cancelled;
mod jobs;
mod late;
mod mangled;
mod mismatch;
mod peer;
mod refused;
mod robustness;
