//! Reports of made-up runs, judged by the real judge.

use std::path::PathBuf;
use std::time::Duration;

use super::plan::{Budget, PhaseSpan, Rest};
use super::{CaseReport, CyclePlan, Environment, Expected, RunReport};
use crate::census::Census;
use crate::exit::Exit;
use crate::explain::{Finding, TenantShare, rank};
use crate::resource::Resource;
use crate::scenario::model::EngineKind;
use crate::seed::Seed;
use crate::timeline::{Audit, CycleRecord, Ended, Timeline};
use crate::verdict::{Outcome, ResourceRules, Rules, judge};

const CYCLES: u64 = 40;
const WARM_UP: usize = 5;

/// What the target holds at rest after `cycle` cycles of a healthy run.
fn at_rest() -> Census {
    Census {
        tasks: Some(14),
        fds: Some(9),
        heap_blocks: Some(1_204),
        heap_bytes: Some(301_442),
        ..Census::default()
    }
}

fn environment() -> Environment {
    Environment {
        reported_at: "2026-11-21T17:10:02Z".to_owned(),
        watertight: "0.1.0".to_owned(),
        build: "release".to_owned(),
        tokio_unstable: true,
        os: "Linux (Debian GNU/Linux 13)".to_owned(),
        kernel: "6.12.0".to_owned(),
        arch: "x86_64".to_owned(),
        cpu: "A processor of two cores".to_owned(),
        cores: 2,
        memory_bytes: 24 << 30,
    }
}

fn plan() -> CyclePlan {
    let seconds = Duration::from_secs;
    let phase = |name: &str, from, to, faults: &[&str]| PhaseSpan {
        name: name.to_owned(),
        from: seconds(from),
        to: seconds(to),
        faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
    };
    CyclePlan {
        pace: 1.0,
        phases: vec![
            phase("flap", 0, 20, &["flap on plc: up 3s, down 2s"]),
            phase("slow", 20, 30, &["latency on plc: delay 50ms", "slow_read on browser: rate 1 KiB/s"]),
            phase("quiet", 30, 35, &[]),
        ],
        rest: Rest {
            name: "settle".to_owned(),
            within: seconds(60),
            watch: seconds(2),
            until: [("sessions".to_owned(), 4.0)].into(),
        },
        budgets: vec![Budget {
            resource: Resource::Tasks,
            peak_max: Some(100),
            at_rest_max: None,
            grow_per_cycle: 0.0,
        }],
    }
}

fn timeline(census: impl Fn(u64) -> Census) -> Timeline {
    let mut peak =
        Census { tasks: Some(61), fds: Some(22), heap_bytes: Some(1_950_000), ..Census::default() };
    let cycles: Vec<CycleRecord> = (0..CYCLES + WARM_UP as u64)
        .map(|cycle| CycleRecord {
            cycle: cycle as usize,
            at: Duration::from_secs(42 * (cycle + 1)),
            settled_after: Some(Duration::from_millis(1_200)),
            census: census(cycle),
        })
        .collect();
    cycles.iter().for_each(|record| peak.peak(&record.census));
    let audit = vec![
        Audit { what: "polls answered by plc".into(), found: 52_110, at_least: 1_000, at_most: None },
        Audit { what: "links cut".into(), found: 450, at_least: 45, at_most: None },
    ];
    let planned = cycles.len();
    Timeline { exact: true, warm_up: WARM_UP, planned, cycles, peak, trimmed: None, audit, ended: None }
}

fn case(scenario: &str, timeline: Timeline, rules: &Rules) -> CaseReport {
    let judgement = judge(&timeline, rules);
    let cycles = judgement.cycles_to_replay(&timeline);
    CaseReport {
        scenario: scenario.to_owned(),
        case: String::new(),
        engine: EngineKind::Sim,
        file: PathBuf::from(format!("scenarios/gate/{scenario}.yaml")),
        about: "Every link flaps, again and again; nothing may be left behind.".to_owned(),
        seed: Seed(7),
        target: "s7-gateway".to_owned(),
        outcome: judgement.outcome,
        headline: judgement.headline,
        expected: None,
        exit: Exit::from(judgement.outcome),
        resources: judgement.resources,
        findings: vec![],
        audit: timeline.audit.clone(),
        notes: judgement.notes,
        replay: match cycles {
            Some(cycles) => {
                format!("watertight run scenarios/gate/{scenario}.yaml --seed 7 --cycles {cycles}")
            }
            None => format!("watertight run scenarios/gate/{scenario}.yaml --seed 7"),
        },
        scenario_time: Duration::from_secs(1_890),
        wall_time: Duration::from_millis(412),
        plan: Some(plan()),
        timeline,
        soak: None,
    }
}

pub fn run(cases: Vec<CaseReport>) -> RunReport {
    let wall_time = Duration::from_millis(1_870);
    RunReport { environment: Some(environment()), ..RunReport::of(cases, wall_time) }
}

pub fn clean(scenario: &str) -> CaseReport {
    case(scenario, timeline(|_| at_rest()), &Rules::default())
}

pub fn clean_in(scenario: &str, matrix: &str) -> CaseReport {
    CaseReport { case: matrix.to_owned(), ..clean(scenario) }
}

pub fn stepped() -> CaseReport {
    let step = |cycle| Census { heap_bytes: Some(301_442 + if cycle < 20 { 0 } else { 8_192 }), ..at_rest() };
    case("slow-consumer", timeline(step), &Rules::default())
}

pub fn saturating() -> CaseReport {
    let filling = |cycle: u64| {
        let filled = (400.0 * (1.0 - (-(cycle as f64) / 10.0).exp())) as u64;
        Census { heap_blocks: Some(1_204 + filled), heap_bytes: Some(301_442 + 64 * filled), ..at_rest() }
    };
    case("slow-consumer", timeline(filling), &Rules::default())
}

/// Two rises in the first half of 40 cycles, and silence since: too few to be sure of anything.
pub fn suspect() -> CaseReport {
    let rises = |cycle: u64| match cycle {
        0..13 => 0,
        13..23 => 1,
        _ => 2,
    };
    let rare = |cycle: u64| Census {
        heap_blocks: Some(1_204 + rises(cycle)),
        heap_bytes: Some(301_442 + 64 * rises(cycle)),
        ..at_rest()
    };
    case("slow-consumer", timeline(rare), &Rules::default())
}

pub fn finding(
    resource: Resource,
    site: &str,
    function: &str,
    survivors: i64,
    bytes: i64,
    stack: &[&str],
) -> Finding {
    Finding {
        resource,
        site: site.to_owned(),
        function: Some(function.to_owned()),
        survivors,
        survivor_bytes: bytes,
        stack: stack.iter().map(|frame| (*frame).to_owned()).collect(),
        task: None,
        victim_of: None,
        tenants: vec![],
        tenants_grown: 0,
        ignored: None,
    }
}

pub fn task_leak() -> CaseReport {
    let grows = |cycle| Census {
        tasks: Some(14 + cycle),
        heap_blocks: Some(1_204 + 3 * cycle),
        heap_bytes: Some(301_442 + 1_480 * cycle),
        ..at_rest()
    };
    let beat = "gateway-under-test/src/defects/heartbeat_outlives_connection.rs:31";
    let mut report = case("heartbeat-outlives-connection", timeline(grows), &Rules::default());
    report.target = "s7-gateway (heartbeat_outlives_connection)".to_owned();
    report.findings = rank(vec![
        finding(
            Resource::Heap,
            "gateway-under-test/src/session.rs:118",
            "gateway_under_test::session::run",
            120,
            59_200,
            &[
                "gateway-under-test/src/session.rs:118 gateway_under_test::session::run",
                &format!("{beat} gateway_under_test::defects::heartbeat_outlives_connection::start"),
            ],
        ),
        finding(
            Resource::Tasks,
            beat,
            "gateway_under_test::defects::heartbeat_outlives_connection::start",
            40,
            0,
            &[
                "tokio::time::Sleep",
                &format!("{beat} gateway_under_test::defects::heartbeat_outlives_connection::beat"),
            ],
        ),
    ]);
    report
}

pub fn heap_leak() -> CaseReport {
    let grows = |cycle| Census {
        heap_blocks: Some(1_204 + 4 * cycle),
        heap_bytes: Some(301_442 + 262_144 * cycle),
        ..at_rest()
    };
    let mut report = case("slice-pins-block", timeline(grows), &Rules::default());
    report.findings = vec![finding(
        Resource::Heap,
        "gateway-under-test/src/defects/slice_pins_block.rs:22",
        "gateway_under_test::defects::slice_pins_block::publish",
        160,
        10_485_760,
        &[
            "/home/me/.cargo/registry/src/index/bytes-1.12.0/src/bytes_mut.rs:244 bytes::bytes_mut::BytesMut::with_capacity",
            "gateway-under-test/src/defects/slice_pins_block.rs:22 gateway_under_test::defects::slice_pins_block::publish",
            "gateway-under-test/src/station.rs:204 gateway_under_test::station::poll",
        ],
    )];
    report
}

/// The heap leak, in two stations of which one has nearly all; and its second site in one station alone.
pub fn tenants_leak() -> CaseReport {
    let mut report = heap_leak();
    let share = |name: &str, survivors: i64, survivor_bytes: i64| TenantShare {
        name: name.to_owned(),
        survivors,
        survivor_bytes,
        bytes_per_cycle: survivor_bytes as f64 / 40.0,
    };
    let site = "gateway-under-test/src/station.rs:77";
    let mut second = finding(Resource::Heap, site, "gateway_under_test::station::note", 40, 2_560, &[]);
    second.tenants = vec![share("plc-7", 40, 2_560)];
    second.tenants_grown = 1;
    let first = &mut report.findings[0];
    first.tenants = vec![share("plc-7", 156, 10_223_616), share("plc-3", 4, 262_144)];
    first.tenants_grown = 2;
    report.findings.push(second);
    report
}

pub fn invalid() -> CaseReport {
    let mut run = timeline(|_| at_rest());
    run.audit[0].found = 12;
    case("silent-plc", run, &Rules::default())
}

pub fn inconclusive() -> CaseReport {
    let mut run = timeline(|_| at_rest());
    run.cycles[23].settled_after = None;
    run.cycles[31].settled_after = None;
    case("half-open-peer", run, &Rules::default())
}

pub fn over_budget() -> CaseReport {
    let mut rules = Rules::default();
    rules.resources.insert(Resource::Tasks, ResourceRules { peak_max: Some(60), ..ResourceRules::default() });
    case("reconnect-storm", timeline(|_| at_rest()), &rules)
}

pub fn expecting(report: CaseReport, what: &str, met: bool) -> CaseReport {
    let expected = Expected { what: what.to_owned(), met, leak: None };
    let exit = Exit::of_case(report.outcome, Some(&expected));
    CaseReport { expected: Some(expected), exit, ..report }
}

/// A run that was stopped after half of its cycles.
pub fn interrupted() -> CaseReport {
    let mut run = timeline(|_| at_rest());
    run.cycles.truncate(22);
    run.ended = Some(Ended::Interrupted);
    case("flapping-network", run, &Rules::default())
}

/// A child that ended without a word.
pub fn harness_failure() -> CaseReport {
    let mut report = clean("half-open-peer");
    report.timeline = Timeline { cycles: vec![], audit: vec![], warm_up: 0, ..report.timeline };
    report.outcome = Outcome::Inconclusive;
    report.exit = Exit::Harness;
    report.headline = "the child run was ended by signal 9; 0 of 45 cycles measured".to_owned();
    (report.resources, report.audit, report.plan) = (vec![], vec![], None);
    report.notes =
        vec!["its standard error ended with:\nthread 'main' panicked: <no room> & so on".to_owned()];
    report
}

/// Nothing was played: stopped before the first case.
pub fn empty() -> RunReport {
    let problems = vec!["sim::flapping-network: not played: interrupted".to_owned()];
    RunReport { exit: Exit::Inconclusive, problems, ..run(vec![]) }
}

/// One case of each kind.
pub fn every_case() -> Vec<CaseReport> {
    let leak = "leak of tasks at heartbeat_outlives_connection.rs";
    vec![
        clean("flapping-network"),
        clean_in("reconnect-storm", "plcs=50"),
        stepped(),
        saturating(),
        suspect(),
        task_leak(),
        tenants_leak(),
        invalid(),
        inconclusive(),
        over_budget(),
        expecting(task_leak(), leak, true),
        expecting(clean("heartbeat"), leak, false),
        interrupted(),
        harness_failure(),
    ]
}

/// Every kind of run.
pub fn all() -> Vec<RunReport> {
    vec![
        run(every_case()),
        run(vec![clean("flapping-network")]),
        empty(),
        RunReport { problems: vec![], ..empty() },
    ]
}
