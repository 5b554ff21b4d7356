//! A task that is counted, or named, or owned by something, and that nothing ever tells to end.

use crate::endless::endless;
use crate::finding::{Confidence, Sink};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::task::{Names, Spawner, spawns};

pub(super) const RULE: Rule = Rule {
    name: "loop-without-cancel",
    title: "a task goes on for ever: no branch of it is told to end",
    why: "a loop in a task outlives whoever started it unless it watches something that ends with it; a reconnect makes one more",
    hint: "end it with its owner: `select!` on a `CancellationToken`, break when the channel is closed, or put a `timeout` on the wait",
    confidence: Confidence::High,
    scenario: "flapping-network",
    page: include_str!("../../rules/loop-without-cancel.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    let names = Names::of(&file.functions());
    // A handle that is kept can be aborted; one that is dropped is `detached-spawn`.
    for spawn in spawns(file).iter().filter(|spawn| spawn.spawner == Spawner::Own) {
        if let Some(found) = endless(file, spawn, &names) {
            let report = sink.report(found.span, found.why);
            report.confidence(found.confidence).note(spawn.span, "its task is spawned here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn loops_and_waits_without_a_way_out_are_found() {
        check(
            &RULE,
            r#"
            fn start(tasks: &Tasks, beats: Sender<Beat>, left: Arc<Notify>, never: Never) {
                tasks.spawn(async move {
                    loop { //~ loop-without-cancel
                        ticks.tick().await;
                        let _ = beats.try_send(Beat);
                    }
                });
                tasks.spawn(async move { match never.await {} }); //~ loop-without-cancel
                tasks.spawn(async move {
                    let _ = copy(&mut reader, &mut writer).await; //~ loop-without-cancel
                });
                tasks.spawn(async move {
                    for _guest in 0..9 { left.notified().await; } //~ loop-without-cancel
                });
                tasks.spawn(async move {
                    while let Some(event) = queue.next().await { //~ loop-without-cancel
                        let _ = sender.send(event).await;
                    }
                });
                tasks.spawn(retry(tasks.clone()).instrument(span));
            }
            async fn retry(tasks: Tasks) { connect(tasks).await; }
            async fn connect(tasks: Tasks) {
                loop { dial().await; } //~ loop-without-cancel
            }
            fn arm(tasks: &Tasks) {
                tasks.spawn(async move {
                    sleep(PERIOD).await;
                    arm(&tasks); //~ loop-without-cancel
                });
            }
            "#,
        );
    }

    #[test]
    fn a_method_that_arms_itself_is_found_and_a_function_of_its_name_is_another() {
        check(
            &RULE,
            r#"
            impl Worker {
                fn arm(self: Arc<Self>, tasks: &Tasks) {
                    tasks.spawn(async move { sleep(PERIOD).await; self.arm(&tasks) }); //~ loop-without-cancel
                }
                fn spawn(arbiter: &Arbiter) {
                    arbiter.spawn(async move { spawn(work()); });
                }
                fn again(tasks: &Tasks) {
                    tasks.spawn(async move { sleep(PERIOD).await; Self::again(&tasks) }); //~ loop-without-cancel
                }
            }
            "#,
        );
    }

    #[test]
    fn a_way_out_is_one_wherever_it_stands() {
        check(
            &RULE,
            r#"
            fn start(tasks: &Tasks, set: &mut JoinSet<()>) {
                tasks.spawn(async move { loop { if ask().await.is_err() { return; } } });
                tasks.spawn(async move { loop { ask().await?; } });
                tasks.spawn(async move { while session.run(ticks.tick()).await.is_some() { look().await; } });
                tasks.spawn(async move { while !token.is_cancelled() { look().await; } });
                tasks.spawn(async move { loop { tokio::select! { _ = stop.changed() => return, _ = tick() => {} } } });
                tasks.spawn(async move { stop.run(async { loop { look().await; } }).await });
                tasks.spawn(async move { timeout(SOON, copy(&mut reader, &mut writer)).await });
                tasks.spawn(async move { match stop.run(never()).await {} });
                tasks.spawn(async move { tokio::select! { _ = forever() => {}, _ = stop.recv() => {} } });
                set.spawn(async move { loop { look().await; } });
            }
            async fn forever() { loop { look().await; } }
            fn not_a_task() { pool.spawn(move || loop { work() }); }
            "#,
        );
    }
}
