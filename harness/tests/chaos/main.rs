//! Chaos links from outside: what both ends of a connection see, in memory and over TCP.

mod proxy;
mod sim;
mod toxics;
mod truth;
