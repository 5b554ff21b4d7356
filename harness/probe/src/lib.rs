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
//! #   #[cfg(feature = "serve")]
//!     let _probe = watertight_probe::serve()?; // does nothing unless WATERTIGHT_PROBE is set
//!     runtime.enable_all().build()?.block_on(async { /* the service */ });
//!     Ok(())
//! }
//! ```
//!
//! In the process itself the same figures are a call away, also without the endpoint:
//!
//! ```
//! #[global_allocator]
//! static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();
//!
//! use watertight_probe::{Tenant, heap};
//!
//! let plc = Tenant::NONE.child("plc-7");
//! let telegram = { let _plc = plc.enter(); vec![0_u8; 480] };
//! assert_eq!(heap::live_of_tenant(plc).map(|live| (live.blocks, live.bytes)), Some((1, 480)));
//! drop(telegram);
//! assert_eq!(heap::live_of_tenant(plc).map(|live| live.blocks), Some(0));
//! ```
//!
//! In reading order: the heap with [`Alloc`], [`heap`], [`tenant`] (whose a block or a task is) and [`frames`] (names of lines); [`tasks`]
//! and [`panics`]; [`fds`], [`process`] and [`gauges`]; all of them in one value, [`snapshot`]; the controls that show a
//! count would have seen a leak, [`canary`] and [`plant`]; and with the feature `serve` (default) what hands it out over HTTP and
//! asks for it, `serve` and `client`.
//!
//! | feature | gives | brings |
//! | --- | --- | --- |
//! | none | all counts, read in the process | backtrace, libc, tokio (`rt`, `time`) |
//! | `serve` (default) | the snapshot endpoint and its client | httparse, serde, serde_json |
//! | `dhat` | dhat as a second witness of the heap, chosen at start by `WATERTIGHT_HEAP=dhat` | dhat |
//!
//! Unix. On Linux everything is counted; elsewhere the heap without call stacks, and tasks. Without `--cfg tokio_unstable` tasks are
//! tokio's own count of one runtime, and task dumps are refused, with the reason.

#[cfg(not(unix))]
compile_error!("the probe counts on Unix alone: depend on it under `[target.'cfg(unix)'.dependencies]`");

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

/// The README's example compiles with the tests.
#[cfg(all(doctest, feature = "serve"))]
#[doc = include_str!("../README.md")]
struct Readme;
