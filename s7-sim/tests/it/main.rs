//! Sessions as a client sees them: over in-memory streams under a paused clock, and the binary over loopback.

mod answers;
mod binary;
mod client;
mod faults;
mod fuzz;
mod hostile;
mod slots;
mod timeouts;
