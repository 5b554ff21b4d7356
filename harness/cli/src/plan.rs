//! `plan`: what a scenario compiles to.

use std::path::PathBuf;

use watertight::exit::Exit;
use watertight::runner::Library;
use watertight::scenario::picture::PlannedCase;
use watertight::seed::Seed;

use crate::{advice, parse_set, screen};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  watertight plan scenarios/gate/reconnect-storm.yaml --seed 8\n  watertight plan scenarios/gate/reconnect-storm.yaml --json | jq '.[].plan.events'"
)]
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
    /// As JSON, for programs; times are numbers of seconds
    #[arg(long)]
    json: bool,
    /// End with 2 where a suggestion is made
    #[arg(long)]
    strict: bool,
}

/// Columns where nobody knows how many there are: a pipe, a file.
const COLUMNS_OF_A_PIPE: usize = 80;

/// Shows the cases: who stands where, what goes wrong when, and what may be wrong with that.
pub fn plan(args: &Args, library: &dyn Library) -> Exit {
    let planned = match library.plan(&args.file, &args.set, args.seed.map(Seed), args.cycle) {
        Ok(planned) => planned,
        Err(error) => {
            screen::err(&error.to_string());
            return Exit::Usage;
        }
    };
    let shown =
        screen::out(&if args.json { format!("{:#}", serde_json::json!(planned)) } else { text(&planned) });
    shown.worse(advice::tell(library, std::slice::from_ref(&args.file), &args.set, args.strict))
}

fn text(planned: &[PlannedCase]) -> String {
    let columns = match screen::width() {
        usize::MAX => COLUMNS_OF_A_PIPE,
        columns => columns,
    };
    // Escape codes are taken away again where nobody wants them.
    planned.iter().map(|case| case.text(columns, true)).collect::<Vec<_>>().join("\n")
}
