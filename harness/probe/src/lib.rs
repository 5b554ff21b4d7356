//! What a service links in to be counted: an allocator that knows every live block's call stack, a ledger of async
//! tasks, a census of file descriptors, and an endpoint that hands all of it out.
//!
//! Three lines make a service countable:
//!
//! ```
//! #[global_allocator]
//! static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut runtime = tokio::runtime::Builder::new_current_thread();
//!     watertight_probe::tasks::install(&mut runtime);
//!     let _probe = watertight_probe::serve()?; // does nothing unless WATERTIGHT_PROBE is set
//!     runtime.enable_all().build()?.block_on(async { /* the service */ });
//!     Ok(())
//! }
//! ```

mod actor;
mod alloc;
#[cfg(feature = "dhat")]
mod dhat_profile;
pub mod frames;
pub mod heap;
pub mod tenant;

pub mod panics;
pub mod tasks;

pub mod fds;
pub mod gauges;
pub mod process;
pub mod threads;

pub mod canary;
pub mod plant;
pub mod snapshot;

#[cfg(feature = "serve")]
pub mod client;
#[cfg(feature = "serve")]
pub mod serve;

pub use alloc::Alloc;
pub use canary::Canary;
#[cfg(feature = "serve")]
pub use serve::{serve, serve_with};
pub use tenant::Tenant;
