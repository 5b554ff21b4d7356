//! The same program with the probe, in three lines: now its heap and tasks are counted too, by the line that made them.

mod server;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new(); // 1: the heap

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    watertight_probe::tasks::install(&mut runtime); // 2: tasks
    let _probe = watertight_probe::serve()?; // 3: who asks; nobody can unless WATERTIGHT_PROBE is set
    Ok(runtime.enable_all().build()?.block_on(server::run())?)
}
