//! Errors built in on purpose, and the hunt for them: a model that passes with one has not looked.
//!
//! A model that fails leaves loom in no state to go on, so each hunt is a child process: this program, told which one line is wrong.

use std::fmt;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::explore::{self, Depth};
use super::{Model, all};

/// What the child is told: a mutant and a model.
const MUTANT_VARIABLE: &str = "WATERTIGHT_MUTANT";
const MODEL_VARIABLE: &str = "WATERTIGHT_MODEL";

/// Set to `all`: each mutant meets every model of its machine, not only the one that was written for it.
const MEETS_VARIABLE: &str = "WATERTIGHT_MUTANTS";

/// The child's exit code when its model has failed, as it should.
const CAUGHT: u8 = 3;

/// One line that is wrong.
#[derive(Debug)]
pub(super) struct Mutant {
    /// As in the `mutated!` of its line: first the machine.
    pub name: &'static str,
    /// The model that was written with this error in mind; others of its machine may catch it too.
    pub model: &'static str,
}

/// All of them, in the order of the machines.
pub(super) const ALL: &[Mutant] = &[
    mutant("slot_claim_checks_then_acts", "slot::each_value_is_closed_once_and_stands_alone"),
    mutant("slot_reaper_checks_then_acts", "slot::each_value_is_closed_once_and_stands_alone"),
    mutant("slot_is_vacant_before_it_is_closed", "slot::each_value_is_closed_once_and_stands_alone"),
    mutant("slot_parks_what_was_evicted", "slot::what_was_evicted_is_not_used_again"),
    mutant("slot_is_lost_with_its_user", "slot::a_cancelled_user_gives_the_place_back"),
    mutant("pending_expiry_checks_then_acts", "pending::of_answer_and_timeout_one_wins"),
    mutant("pending_expiry_frees_the_key", "pending::of_answer_and_timeout_one_wins"),
    mutant("pending_dropped_ticket_stays", "pending::of_answer_and_timeout_one_wins"),
    mutant("pending_late_answer_keeps_its_key", "pending::of_answer_and_timeout_one_wins"),
    mutant("pending_reply_forgets_to_wake", "pending::an_answer_wakes_its_request"),
    mutant("pending_looks_then_waits", "pending::an_answer_wakes_its_request"),
    mutant("pending_takes_a_key_from_quarantine", "pending::a_late_answer_reaches_no_other_request"),
    mutant("pending_forgets_silently", "pending::the_end_of_the_session_wakes_all"),
    mutant("pending_counts_then_enters", "pending::the_table_keeps_its_limits"),
    mutant("gate_enter_checks_then_acts", "gate::nobody_is_inside_after_the_drain"),
    mutant("gate_pass_forgets_to_wake", "gate::everyone_who_waits_is_woken"),
    mutant("gate_close_forgets_to_wake", "gate::everyone_who_waits_is_woken"),
    mutant("gate_wakes_only_one", "gate::everyone_who_waits_is_woken"),
    mutant("gate_looks_then_waits", "gate::everyone_who_waits_is_woken"),
    mutant("gate_keeps_the_waker_of_a_dropped_future", "gate::a_dropped_future_leaves_no_waker"),
    mutant("cancel_child_checks_then_acts", "cancel::a_late_child_is_cancelled_too"),
    mutant("cancel_loses_the_children_of_what_ended", "cancel::a_child_outlives_its_parent_and_is_cancelled"),
    mutant("cancel_wakes_only_itself", "cancel::everyone_who_waits_is_woken"),
    mutant("cancel_looks_then_waits", "cancel::everyone_who_waits_is_woken"),
    mutant("cancel_keeps_children_that_ended", "cancel::a_child_that_ended_leaves_nothing"),
    mutant("cancel_keeps_the_waker_of_a_dropped_future", "cancel::a_dropped_future_leaves_no_waker"),
    mutant("generation_checks_then_acts", "generation::nothing_of_an_old_session_reaches_the_new_one"),
    mutant("generation_takes_any_stamp", "generation::nothing_of_an_old_session_reaches_the_new_one"),
    mutant("generation_open_leaves_the_old_one_current", "generation::of_two_that_open_one_is_current"),
];

const fn mutant(name: &'static str, model: &'static str) -> Mutant {
    Mutant { name, model }
}

/// Whether this process is to be wrong in this way.
pub(crate) fn is(name: &str) -> bool {
    static SELECTED: OnceLock<Option<String>> = OnceLock::new();
    assert!(
        ALL.iter().any(|known| known.name == name),
        "`{name}` is mutated, and no hunt is for it: add it to `ALL`"
    );
    SELECTED.get_or_init(|| std::env::var(MUTANT_VARIABLE).ok()).as_deref() == Some(name)
}

/// What one model made of a mutant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hunted {
    pub model: &'static str,
    pub outcome: Outcome,
}

/// How a model that was told of no error ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It failed, in this execution.
    Caught { executions: usize },
    /// It saw nothing wrong.
    Passed { executions: usize },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught { executions } => write!(f, "caught after {executions}"),
            Self::Passed { executions } => write!(f, "not seen in {executions}"),
        }
    }
}

/// Explores the model written for this mutant with it, or each of its machine; an error when the former sees nothing.
pub(super) fn hunt(mutant: &Mutant) -> Result<Vec<Hunted>, String> {
    let meets_all = std::env::var(MEETS_VARIABLE).is_ok_and(|meets| meets == "all");
    let machine = |model: &'static str| model.split("::").next();
    let is_met = |model: &Model| meets_all && machine(model.name) == machine(mutant.model);
    let models = all().filter(|model| model.name == mutant.model || is_met(model));
    let hunted: Vec<Hunted> = models.map(|model| hunt_with(mutant, model)).collect::<Result<_, _>>()?;
    let expected = hunted.iter().find(|hunted| hunted.model == mutant.model);
    match expected.map(|hunted| hunted.outcome) {
        Some(Outcome::Caught { .. }) => Ok(hunted),
        found => Err(format!(
            "`{}` with `{}`: expected to be caught, found {found:?}: the model does not look there",
            mutant.model, mutant.name
        )),
    }
}

fn hunt_with(mutant: &Mutant, model: Model) -> Result<Hunted, String> {
    let said = |what: &dyn fmt::Display| format!("`{}` with `{}`: {what}", model.name, mutant.name);
    let program = std::env::current_exe().map_err(|error| said(&error))?;
    let mut command = Command::new(program);
    command.env(MUTANT_VARIABLE, mutant.name).env(MODEL_VARIABLE, model.name);
    let output = command.output().map_err(|error| said(&error))?;
    let executions = String::from_utf8_lossy(&output.stdout).trim().parse();
    let executions = executions.map_err(|_| said(&String::from_utf8_lossy(&output.stderr)))?;
    let outcome = match output.status.code() {
        Some(0) => Outcome::Passed { executions },
        Some(code) if code == i32::from(CAUGHT) => Outcome::Caught { executions },
        _ => return Err(said(&output.status)),
    };
    Ok(Hunted { model: model.name, outcome })
}

/// If this process is such a child: explores its model, prints how many executions it took, and says how it ended.
pub(super) fn child() -> Option<ExitCode> {
    std::env::var_os(MUTANT_VARIABLE)?;
    let wanted = std::env::var(MODEL_VARIABLE).unwrap_or_default();
    let model = all().find(|model| model.name == wanted)?;
    let executions = Arc::new(AtomicUsize::new(0));
    let failed = Arc::clone(&executions);
    // Ends the process at once: unwinding would leave loom's threads half-way, and panic again.
    std::panic::set_hook(Box::new(move |info| {
        println!("{}", failed.load(Ordering::Relaxed));
        eprintln!("{info}");
        std::process::exit(i32::from(CAUGHT));
    }));
    explore::explore(model, Depth::Hunt, &executions);
    println!("{}", executions.load(Ordering::Relaxed));
    Some(ExitCode::SUCCESS)
}
