//! Sessions as a client sees them: over in-memory streams under a paused clock, and the binary over loopback.

mod answers;
mod binary;
mod client;
mod faults;
mod faults_rules;
mod fuzz;
mod hostile;
mod recording;
mod services;
mod slots;
mod tcp;
mod timeouts;
