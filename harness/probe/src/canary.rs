//! What is held for a moment and then let go, so that whoever counts can show that it sees things come and go.

use std::fs::File;
use std::hint::black_box;
use std::io;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::Tenant;

/// So many blocks, tasks and descriptors; all of them end when it is dropped, the tasks as soon as their runtime runs.
#[derive(Debug)]
pub struct Canary {
    _blocks: Vec<Vec<u8>>,
    _fds: Vec<File>,
    tasks: Vec<JoinHandle<()>>,
}

impl Canary {
    /// Heap blocks that it holds, those of its tasks apart.
    pub const BLOCKS: usize = 1024;
    /// Bytes of each block.
    pub const BLOCK_BYTES: usize = 64;
    /// Tasks that it holds.
    pub const TASKS: usize = 64;
    /// Descriptors that it holds.
    pub const FDS: usize = 32;

    /// Holds everything from now on, on behalf of `owner`, its tasks on `runtime`.
    ///
    /// # Errors
    /// Those of opening `/dev/null`.
    pub fn hold(owner: Tenant, runtime: &Handle) -> io::Result<Self> {
        // The lists are the caller's: what is counted is counted on behalf of the owner.
        let (mut blocks, mut tasks) = (Vec::with_capacity(Self::BLOCKS), Vec::with_capacity(Self::TASKS));
        let fds: Result<Vec<File>, _> = (0..Self::FDS).map(|_| File::open("/dev/null")).collect();
        let fds = fds?;
        let on_behalf = owner.enter();
        blocks.extend((0..Self::BLOCKS).map(|_| black_box(vec![0_u8; Self::BLOCK_BYTES])));
        tasks.extend((0..Self::TASKS).map(|_| runtime.spawn(std::future::pending::<()>())));
        drop(on_behalf);
        Ok(Self { _blocks: blocks, _fds: fds, tasks })
    }

    /// Lets go of everything and waits until the tasks are gone.
    pub async fn release(mut self) {
        let tasks = std::mem::take(&mut self.tasks);
        drop(self);
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            // That it was cancelled is what was asked for.
            let _cancelled = task.await;
        }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
