//! One segment of one soak: the child, what it tells, and what is done about it.

use std::time::Duration;

use tokio::time::Instant;

use super::clocks::{Clocks, wall_seconds};
use super::judging::{self, JUDGED_ALONG_MAX};
use super::keeper::Keeper;
use super::vigil::{Act, Vigil};
use super::{Listener, SoakOptions};
use crate::exit::Exit;
use crate::report::CaseReport;
use crate::report::soak::{Capture, CaptureReason};
use crate::runner::child::{ChildRun, How, Step};
use crate::runner::play::{self as run, Slots};
use crate::runner::unjudged::unplayed;
use crate::runner::{Job, Limits, Message, RunRequest, Silent, SoakMessage, SoakRequest, Stop, control};
use crate::store::StoreError;
use crate::timeline::{CycleRecord, Ended};
use crate::verdict::evidence;

/// A child that is asked to end may finish its cycle, and name what it holds.
const GRACE: Duration = Duration::from_secs(40);

/// One job, soaked when a slot is free.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub index: usize,
    pub job: &'a Job,
    pub options: &'a SoakOptions,
    pub stop: &'a Stop,
    pub listener: &'a dyn Listener,
}

/// What came of it.
pub(super) struct Soaked {
    pub report: CaseReport,
    /// What the report's own exit does not say.
    pub exit: Exit,
    /// What a reader of the whole run must know.
    pub problem: Option<String>,
}

/// How a segment ended.
struct Ending {
    /// In words.
    how: String,
    exit: Exit,
    /// Whether there is nothing left to be played.
    is_over: bool,
}

impl Ending {
    fn failed(exit: Exit, how: String) -> Self {
        Self { how, exit, is_over: false }
    }
}

impl Turn<'_> {
    /// Plays what is left of the soak, and reports on all of it.
    pub(super) async fn take(self, mut keeper: Keeper<'_>, slots: &Slots) -> Soaked {
        let _slot = slots.take(self.job.engine).await;
        let began = Instant::now();
        let request = self.request(&keeper);
        self.listener.began(self.index, &keeper.so_far());
        let played = self.segment(&request, &mut keeper).await;
        let is_over = matches!(&played, Ok(ending) if ending.is_over);
        let mut soaked = self.judged(&request, &keeper, played);
        if self.options.control && is_over && control::is_healthy(&soaked.report) {
            self.listener.controlled(self.index);
            let (index, job, stop) = (self.index, self.job, self.stop);
            let turn = run::Turn { index, job, options: &self.options.run, stop, observer: &Silent };
            control::add(turn, &mut soaked.report).await;
        }
        soaked.report.wall_time = began.elapsed();
        keep(&keeper, is_over, &mut soaked);
        self.listener.finished(self.index, &soaked.report);
        soaked
    }

    fn request(&self, keeper: &Keeper<'_>) -> RunRequest {
        let soak = SoakRequest { lasts: keeper.left(), cycles_before: keeper.cycles_before };
        RunRequest { soak: Some(soak), cycles: None, ..self.options.run.request(self.job) }
    }

    /// Judges what is in the store, whatever became of the segment.
    fn judged(self, request: &RunRequest, keeper: &Keeper<'_>, played: Result<Ending, StoreError>) -> Soaked {
        let (mut exit, mut problem) = match played {
            Ok(Ending { exit: Exit::Clean, .. }) => (Exit::Clean, None),
            Ok(Ending { how, exit, .. }) => (exit, Some(format!("{}: {how}", self.job.name()))),
            Err(error) => (Exit::Harness, Some(error.to_string())),
        };
        let judged = judging::report(keeper, self.job, request, self.options);
        let report = match judged {
            Ok(Some(report)) => report,
            Ok(None) => {
                let why = problem.take().unwrap_or_else(|| "nothing was measured".to_owned());
                unplayed(self.job, request, exit.worse(Exit::Inconclusive), why)
            }
            Err(error) => {
                exit = Exit::Harness;
                unplayed(self.job, request, exit, error.to_string())
            }
        };
        Soaked { report, exit, problem }
    }

    /// Plays a segment. On an error of the store the child is ended, and what is kept stays.
    async fn segment(&self, request: &RunRequest, keeper: &mut Keeper<'_>) -> Result<Ending, StoreError> {
        if let Some(missing) = self.job.case.missing(self.job.engine) {
            let how =
                format!("{missing}: not on this machine; install it, or correct the scenario's `command`");
            return Ok(Ending::failed(Exit::Inconclusive, how));
        }
        let limits = Limits { grace: self.options.run.limits.grace.max(GRACE), ..self.options.run.limits };
        let child = match ChildRun::start(request, limits, self.stop).await {
            Ok(child) => child,
            Err(error) => {
                let how = format!("the child run cannot be started: {error}");
                return Ok(Ending::failed(Exit::Harness, how));
            }
        };
        let vigil = Vigil::new(self.options.on_leak);
        let mut segment = Playing {
            turn: self,
            keeper,
            child,
            vigil,
            clocks: Clocks::default(),
            began: Instant::now(),
            asked: None,
            ended: None,
            stops: false,
        };
        let ending = segment.play().await?;
        keeper.store.end_segment(keeper.run, keeper.segment, &ending.how)?;
        Ok(ending)
    }
}

/// Keeps the report, and that the soak is over if it is.
fn keep(keeper: &Keeper<'_>, is_over: bool, soaked: &mut Soaked) {
    let kept = keeper.store.set_report(keeper.run, &soaked.report);
    let kept = kept.and_then(|()| if is_over { keeper.store.end_run(keeper.run) } else { Ok(()) });
    if let Err(error) = kept {
        soaked.exit = soaked.exit.worse(Exit::Harness);
        soaked.problem.get_or_insert_with(|| error.to_string());
    }
}

/// A segment while it is played.
struct Playing<'a, 'k, 's> {
    turn: &'a Turn<'a>,
    keeper: &'k mut Keeper<'s>,
    child: ChildRun,
    vigil: Vigil,
    clocks: Clocks,
    began: Instant,
    /// Why the capture under way was asked for, and whether the soak ends after it.
    asked: Option<(CaptureReason, bool)>,
    /// Why the child says that it ended early.
    ended: Option<Ended>,
    /// Whether it was asked to end because of a leak.
    stops: bool,
}

impl Playing<'_, '_, '_> {
    async fn play(&mut self) -> Result<Ending, StoreError> {
        loop {
            match self.child.next().await {
                Step::Message(message) => self.hear(message).await?,
                Step::Ended(ending) => return Ok(self.ending(ending.how, &ending.stderr)),
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), StoreError> {
        match message {
            Message::Cycle(record) => self.cycle(&record).await,
            Message::Phase(phase) => {
                self.turn.listener.phase(self.turn.index, &phase);
                Ok(())
            }
            Message::Event(event) => {
                self.turn.listener.event(self.turn.index, &event);
                Ok(())
            }
            Message::Soak(said) => self.said(*said),
            _ => Ok(()),
        }
    }

    fn said(&mut self, said: SoakMessage) -> Result<(), StoreError> {
        match said {
            SoakMessage::Ground(ground) => self.keeper.ground(ground),
            SoakMessage::Checkpoint(checkpoint) => {
                self.ended.clone_from(&checkpoint.ended);
                self.keeper.checkpoint(&checkpoint)
            }
            SoakMessage::Capture(capture) => self.captured(capture),
            SoakMessage::Over => Ok(()),
        }
    }

    async fn cycle(&mut self, record: &CycleRecord) -> Result<(), StoreError> {
        self.keeper.cycle(record)?;
        if self.clocks.look(self.began.elapsed(), wall_seconds()) {
            let (run, segment) = (self.keeper.run, self.keeper.segment);
            self.keeper.store.set_jumps(run, segment, &self.clocks.jumps)?;
        }
        self.turn.listener.cycle(self.turn.index, record, &self.keeper.so_far());
        let counted = self.keeper.counted();
        // While a capture is under way nothing new is asked for.
        if self.vigil.is_due(counted) && self.asked.is_none() && !self.stops {
            self.look(counted).await?;
        }
        Ok(())
    }

    /// Asks the judge about what is there, and does what follows.
    async fn look(&mut self, counted: usize) -> Result<(), StoreError> {
        let Some(ground) = &self.keeper.ground else { return Ok(()) };
        let timeline = judging::timeline(self.keeper, self.keeper.segment, ground, None, JUDGED_ALONG_MAX)?;
        let found = evidence(&timeline.timeline, &ground.rules.for_entries(timeline.each));
        self.turn.listener.judged(self.turn.index, found.as_ref());
        let (why, stops) = match self.vigil.judged(counted, found.map(|found| found.outcome)) {
            Act::GoOn => return Ok(()),
            Act::Capture(why) => (why, false),
            Act::CaptureAndStop => (CaptureReason::Later, true),
        };
        self.asked = Some((why, stops));
        self.child.ask_for_capture().await;
        Ok(())
    }

    fn captured(&mut self, mut capture: Capture) -> Result<(), StoreError> {
        capture.segment = self.keeper.segment;
        if capture.why != CaptureReason::End
            && let Some((why, stops)) = self.asked.take()
        {
            capture.why = why;
            self.stops |= stops;
        }
        self.keeper.capture(&capture)?;
        self.turn.listener.captured(self.turn.index, &capture);
        if self.stops && capture.why != CaptureReason::End {
            self.child.terminate();
        }
        Ok(())
    }

    fn ending(&self, how: How, stderr: &str) -> Ending {
        let said = if stderr.is_empty() {
            String::new()
        } else {
            format!("; its standard error ended with:\n{stderr}")
        };
        let failed = |exit, how: String| Ending::failed(exit, how + &said);
        match how {
            How::Over if self.stops => {
                Ending { how: "stopped at the leak".to_owned(), exit: Exit::Clean, is_over: true }
            }
            How::Over => match &self.ended {
                None => Ending { how: "its time was over".to_owned(), exit: Exit::Clean, is_over: true },
                Some(Ended::Interrupted) => {
                    Ending { how: "interrupted".to_owned(), exit: Exit::Clean, is_over: false }
                }
                // The report says so, and is judged by it.
                Some(ended) => Ending { how: ended.to_string(), exit: Exit::Clean, is_over: false },
            },
            How::Done(_) => failed(Exit::Harness, "the child ran, and was to soak".to_owned()),
            How::Failed { exit, error } => failed(exit, error),
            How::Crashed(how) => failed(Exit::Harness, format!("the child run {how}")),
            How::Garbage(what) => failed(Exit::Harness, what),
            How::Hung(silence) => {
                let bound = humantime::format_duration(silence);
                failed(
                    Exit::Inconclusive,
                    format!("no cycle ended within {bound}, so it was killed; `--timeout` sets the bound"),
                )
            }
            How::Interrupted => failed(Exit::Inconclusive, Ended::Interrupted.to_string()),
        }
    }
}
