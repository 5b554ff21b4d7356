//! Chaos links from outside: what both ends of a connection see, in memory and over TCP.

mod net;
mod proxy;
mod rows;
mod sim;
mod toxics;
mod truth;
