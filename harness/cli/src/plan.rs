//! `plan`: what a scenario compiles to.

use std::path::PathBuf;

use watertight::exit::Exit;
use watertight::runner::Library;
use watertight::seed::Seed;

use crate::{parse_set, screen};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watertight plan scenarios/gate/reconnect-storm.yaml --seed 8")]
pub struct Args {
    /// The scenario file
    file: PathBuf,
    /// Draw from this seed in the place of the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The cycle to show, from 0, warm-up included: random faults differ from cycle to cycle
    #[arg(long, value_name = "N", default_value_t = 0)]
    cycle: usize,
    /// Plan with this setting in the place of the file's; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,
}

/// Shows the cases and their events.
pub fn plan(args: &Args, library: &dyn Library) -> Exit {
    match library.plan(&args.file, &args.set, args.seed.map(Seed), args.cycle) {
        Ok(text) => screen::out(&text),
        Err(error) => {
            screen::err(&error.to_string());
            Exit::Usage
        }
    }
}
