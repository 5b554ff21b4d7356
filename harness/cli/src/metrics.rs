//! What goes on in a run, as metrics for a dashboard: how far each case is, what it holds at rest, what disturbs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use watertight::report::openmetrics::{Format, Page};
use watertight::report::soak::Capture;
use watertight::report::{CaseReport, figures};
use watertight::resource::Resource;
use watertight::runner::soak::{Listener, SoFar};
use watertight::runner::{Event, Job, Observer, PhaseBegun};
use watertight::timeline::CycleRecord;
use watertight::verdict::{Evidence, Outcome};
use watertight::watch::Floors;

use crate::screen;
use crate::serve::{self, ServeError};

/// Hears of cases, and serves what it has heard.
#[derive(Debug, Clone)]
pub struct RunMetrics(Arc<Mutex<Vec<Case>>>);

/// One case, as far as it is.
#[derive(Debug, Clone, Default)]
struct Case {
    name: String,
    cycles: u64,
    lasted: Duration,
    asked: Option<Duration>,
    planned: Option<u64>,
    segment: usize,
    captures: u64,
    /// Figures at rest.
    resting: BTreeMap<Resource, Floors>,
    phase: Option<PhaseBegun>,
    /// What the judge says so far, or at the end.
    outcomes: Vec<(Resource, Outcome)>,
}

impl RunMetrics {
    /// Nothing so far of these jobs.
    pub fn new(jobs: &[Job]) -> Self {
        let case = |job: &Job| Case { name: job.name(), ..Case::default() };
        Self(Arc::new(Mutex::new(jobs.iter().map(case).collect())))
    }

    /// Serves them at `address`, if there is one, until the process ends, and says where.
    ///
    /// # Errors
    /// See [`serve::metrics`].
    pub fn serve(&self, address: Option<SocketAddr>) -> Result<(), ServeError> {
        let (Some(address), cases) = (address, self.clone()) else { return Ok(()) };
        let place = serve::metrics(address, serve::token(), move |format| page(&cases.lock(), format))?;
        screen::err(&format!("metrics at http://{place}/metrics"));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Case>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, job: usize, change: impl FnOnce(&mut Case)) {
        if let Some(case) = self.lock().get_mut(job) {
            change(case);
        }
    }
}

impl Case {
    fn cycle(&mut self, record: &CycleRecord) {
        for resource in Resource::ALL {
            if let Some(figure) = record.census.count(resource) {
                self.resting.entry(resource).or_default().note(figure);
            }
        }
    }

    fn finished(&mut self, report: &CaseReport) {
        self.phase = None;
        self.outcomes = report.resources.iter().map(|row| (row.resource, row.outcome)).collect();
    }
}

impl Listener for RunMetrics {
    fn began(&self, job: usize, so_far: &SoFar) {
        self.change(job, |case| {
            (case.segment, case.asked, case.lasted) = (so_far.segment, Some(so_far.asked), so_far.lasted);
            // Another target, which holds figures of its own.
            case.resting.clear();
        });
    }

    fn phase(&self, job: usize, phase: &PhaseBegun) {
        self.change(job, |case| case.phase = Some(phase.clone()));
    }

    fn cycle(&self, job: usize, record: &CycleRecord, so_far: &SoFar) {
        self.change(job, |case| {
            (case.cycles, case.lasted) = (so_far.cycles as u64, so_far.lasted);
            case.cycle(record);
        });
    }

    fn judged(&self, job: usize, evidence: Option<&Evidence>) {
        let outcomes = evidence.map(|found| (found.resource, found.outcome)).into_iter().collect();
        self.change(job, |case| case.outcomes = outcomes);
    }

    fn captured(&self, job: usize, _capture: &Capture) {
        self.change(job, |case| case.captures += 1);
    }

    fn finished(&self, job: usize, report: &CaseReport) {
        self.change(job, |case| case.finished(report));
    }
}

impl Observer for RunMetrics {
    fn phase(&self, job: usize, phase: &PhaseBegun) {
        Listener::phase(self, job, phase);
    }

    fn cycle(&self, job: usize, record: &CycleRecord, planned: usize) {
        self.change(job, |case| {
            if record.cycle == 0 {
                // Played again, longer: with another target.
                case.resting.clear();
            }
            (case.cycles, case.lasted) = (record.cycle as u64 + 1, record.at);
            case.planned = Some(planned as u64);
            case.cycle(record);
        });
    }

    fn finished(&self, job: usize, report: &CaseReport) {
        Listener::finished(self, job, report);
    }
}

/// Somebody who hears of a run, with metrics beside.
pub struct Beside<'a, T: ?Sized>(pub &'a T, pub &'a RunMetrics);

impl Listener for Beside<'_, dyn Listener + '_> {
    fn began(&self, job: usize, so_far: &SoFar) {
        self.0.began(job, so_far);
        self.1.began(job, so_far);
    }

    fn phase(&self, job: usize, phase: &PhaseBegun) {
        self.0.phase(job, phase);
        Listener::phase(self.1, job, phase);
    }

    fn cycle(&self, job: usize, record: &CycleRecord, so_far: &SoFar) {
        self.0.cycle(job, record, so_far);
        Listener::cycle(self.1, job, record, so_far);
    }

    fn event(&self, job: usize, event: &Event) {
        self.0.event(job, event);
    }

    fn judged(&self, job: usize, evidence: Option<&Evidence>) {
        self.0.judged(job, evidence);
        self.1.judged(job, evidence);
    }

    fn captured(&self, job: usize, capture: &Capture) {
        self.0.captured(job, capture);
        self.1.captured(job, capture);
    }

    fn controlled(&self, job: usize) {
        self.0.controlled(job);
    }

    fn finished(&self, job: usize, report: &CaseReport) {
        self.0.finished(job, report);
        Listener::finished(self.1, job, report);
    }
}

impl Observer for Beside<'_, dyn Observer + '_> {
    fn started(&self, job: usize) {
        self.0.started(job);
    }

    fn phase(&self, job: usize, phase: &PhaseBegun) {
        self.0.phase(job, phase);
        Observer::phase(self.1, job, phase);
    }

    fn cycle(&self, job: usize, record: &CycleRecord, planned: usize) {
        self.0.cycle(job, record, planned);
        Observer::cycle(self.1, job, record, planned);
    }

    fn finished(&self, job: usize, report: &CaseReport) {
        self.0.finished(job, report);
        Observer::finished(self.1, job, report);
    }
}

fn page(cases: &[Case], format: Format) -> String {
    let mut page = Page::new(format);
    progress(&mut page, cases);
    resting(&mut page, cases);
    let mut phase = page.gauge("watertight_run_phase", "the phase that the target goes through");
    for (case, now) in cases.iter().filter_map(|case| Some((case, case.phase.as_ref()?))) {
        phase = phase.sample(&[("case", &case.name), ("phase", &now.name)], 1.0);
    }
    let mut faults = page.gauge("watertight_run_fault", "faults of the phase that the target goes through");
    for (case, now) in cases.iter().filter_map(|case| Some((case, case.phase.as_ref()?))) {
        for fault in &now.faults {
            faults = faults.sample(&[("case", &case.name), ("fault", fault)], 1.0);
        }
    }
    let help =
        "what the judge says of a resource: evidence so far while the case is played, then its outcome";
    let mut outcomes = page.gauge("watertight_run_outcome", help);
    for case in cases {
        for (resource, outcome) in &case.outcomes {
            let said = figures::outcome(*outcome);
            let labels = [("case", case.name.as_str()), ("resource", resource.name()), ("outcome", said)];
            outcomes = outcomes.sample(&labels, 1.0);
        }
    }
    page.finish()
}

fn progress(page: &mut Page, cases: &[Case]) {
    let mut cycles =
        page.counter("watertight_run_cycles_total", "cycles that have settled, warm-up included");
    for case in cases {
        cycles = cycles.sample(&[("case", &case.name)], case.cycles as f64);
    }
    let mut captures =
        page.counter("watertight_run_captures_total", "times that what the target holds was captured");
    for case in cases {
        captures = captures.sample(&[("case", &case.name)], case.captures as f64);
    }
    type Figure = fn(&Case) -> Option<f64>;
    let gauges: [(&str, &str, Figure); 4] = [
        ("watertight_run_seconds", "scenario time so far", |case| Some(case.lasted.as_secs_f64())),
        ("watertight_run_asked_seconds", "how long a soak is to last", |case| {
            case.asked.map(|asked| asked.as_secs_f64())
        }),
        ("watertight_run_planned_cycles", "cycles of a run", |case| {
            case.planned.map(|planned| planned as f64)
        }),
        ("watertight_run_segment", "times that a soak was taken up again", |case| Some(case.segment as f64)),
    ];
    for (name, help, figure) in gauges {
        let mut gauge = page.gauge(name, help);
        for case in cases {
            gauge = gauge.sample(&[("case", &case.name)], figure(case));
        }
    }
}

fn resting(page: &mut Page, cases: &[Case]) {
    type Figure = fn(&Floors) -> Option<f64>;
    let gauges: [(&str, &str, Figure); 3] = [
        (
            "watertight_run_resting",
            "held at rest after the last cycle: bytes for rss, else a count",
            |floors| floors.ends().map(|(_, now)| now as f64),
        ),
        ("watertight_run_floor", "lowest resting figure of the last window", |floors| {
            floors.floor().map(|floor| floor as f64)
        }),
        ("watertight_run_growth_per_cycle", "slope of resting figures over the later half", |floors| {
            Some(floors.growth_per_look())
        }),
    ];
    for (name, help, figure) in gauges {
        let mut gauge = page.gauge(name, help);
        for case in cases {
            for (resource, floors) in &case.resting {
                gauge = gauge.sample(&[("case", &case.name), ("resource", resource.name())], figure(floors));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use watertight::census::Census;

    use super::*;

    fn metrics() -> RunMetrics {
        let case = Case { name: "process::storm::plcs=1".to_owned(), ..Case::default() };
        RunMetrics(Arc::new(Mutex::new(vec![case])))
    }

    fn told(metrics: &RunMetrics) {
        let begun = PhaseBegun { cycle: 0, name: "storm".to_owned(), faults: vec!["flap plc".to_owned()] };
        for cycle in 0..40 {
            Observer::phase(metrics, 0, &begun);
            let census = Census { tasks: Some(4 + cycle as u64), ..Census::default() };
            let record = CycleRecord {
                cycle,
                census,
                at: Duration::from_secs(cycle as u64),
                ..CycleRecord::default()
            };
            Observer::cycle(metrics, 0, &record, 60);
        }
        let found = Evidence { resource: Resource::Tasks, outcome: Outcome::Leak, why: String::new() };
        metrics.judged(0, Some(&found));
    }

    #[test]
    fn a_page_tells_how_far_a_case_is_and_what_goes_on() {
        let metrics = metrics();
        told(&metrics);
        let text = page(&metrics.lock(), Format::Prometheus);
        let case = "case=\"process::storm::plcs=1\"";
        for line in [
            format!("watertight_run_cycles_total{{{case}}} 40"),
            format!("watertight_run_planned_cycles{{{case}}} 60"),
            format!("watertight_run_resting{{{case},resource=\"tasks\"}} 43"),
            format!("watertight_run_growth_per_cycle{{{case},resource=\"tasks\"}} 1"),
            format!("watertight_run_phase{{{case},phase=\"storm\"}} 1"),
            format!("watertight_run_fault{{{case},fault=\"flap plc\"}} 1"),
            format!("watertight_run_outcome{{{case},resource=\"tasks\",outcome=\"leak\"}} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("watertight_run_asked_seconds{"), "a run of cycles was not asked for a time");
    }

    #[test]
    fn a_case_that_is_played_again_begins_anew() {
        let metrics = metrics();
        told(&metrics);
        let record =
            CycleRecord { census: Census { tasks: Some(4), ..Census::default() }, ..CycleRecord::default() };
        Observer::cycle(&metrics, 0, &record, 240);
        let text = page(&metrics.lock(), Format::Prometheus);
        assert!(
            text.contains("watertight_run_floor{case=\"process::storm::plcs=1\",resource=\"tasks\"} 4\n"),
            "{text}"
        );
    }
}
